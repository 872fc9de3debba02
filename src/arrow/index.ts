export { open, recordBatch, table, tensors } from './table';
export { save } from './save';
