export { save } from './save';
export { open, recordBatch, table, tensors } from './table';
