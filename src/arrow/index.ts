export { open, recordBatch, table, tensors } from './table';
