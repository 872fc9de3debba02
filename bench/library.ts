// The package as built in dist/, and the parts of it that the bench needs beyond the public ones.
export * from '../dist/index';
export { Kernel } from '../dist/operation/kernel';
export { native, type OperationDescription, type ParameterDescription } from '../dist/runtime/native';
