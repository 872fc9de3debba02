/**
 * Applied to the result of a layer. leakyRelu: slope 0.01; elu: alpha 1; gelu: the exact one;
 * leakyRelu0.2: slope 0.2.
 */
export type Activation = 'none' | 'relu' | 'leakyRelu' | 'elu' | 'gelu' | 'tanh' | 'sigmoid' | 'leakyRelu0.2';
