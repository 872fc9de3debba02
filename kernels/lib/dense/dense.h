// Dense products and layers on the device, as the operations' CUDA sources use them. Compiled in
// dense.cu.
#pragma once
#include "lib/cuda/cuda.h"

namespace upsilon {

// Where a layer's rows are all zero instead of act(...): outside [*first, *end), when given (device
// pointers).
struct RowRange {
  const int32_t* first = nullptr;
  const int32_t* end = nullptr;
};

// y[rows, columns] = act(a[rows, depth] w[columns, depth]^T + bias)
void product_with_weight(Launcher& launch, int32_t precision, const float* a, const float* weight, const float* bias,
                         float* y, int64_t rows, int64_t depth, int64_t columns, int32_t activation,
                         RowRange range = {});

// c[rows, columns] = a[rows, depth] b[depth, columns]
void product(Launcher& launch, int32_t precision, const float* a, const float* b, float* c, int64_t rows, int64_t depth,
             int64_t columns);

// c[a_columns, b_columns] = a[rows, a_columns]^T b[rows, b_columns]: a sum over rows, cut into
// chunks that depend on the shape only and are added up in order. `parts` has
// transposed_product_floats() floats.
int64_t transposed_product_floats(int64_t rows, int64_t a_columns, int64_t b_columns);
void transposed_product(Launcher& launch, int32_t precision, const float* a, const float* b, float* parts, float* c,
                        int64_t rows, int64_t a_columns, int64_t b_columns);

// dz = dy act' and dbias = the sum of dz over rows (fixed chunks, added up in order); either may be
// null. `y` is the layer's output, or its z for gelu; outside `range` dz is 0. `parts` has
// slope_floats() floats, needed for dbias only. dz may be `y` itself.
int64_t slope_floats(int64_t rows, int64_t columns);
void slope(Launcher& launch, const float* y, const float* dy, float* dz, float* parts, float* dbias, int64_t rows,
           int64_t columns, int32_t activation, RowRange range = {});

// Everything a dense layer's backward pass needs in scratch memory.
struct DenseScratch {
  float* dz = nullptr;  // null where dy itself serves
  float* parts = nullptr;
  DenseScratch() = default;
  DenseScratch(WorkspaceLayout& workspace, int64_t rows, int64_t depth, int64_t columns, int32_t activation);
};

// The backward pass of y = act(x W^T + b). dx, dweight and dbias may be null.
struct DenseBackward {
  int64_t rows, depth, columns;
  const float *x, *weight, *bias, *y, *dy;
  float *dx, *dweight, *dbias;
  int32_t activation;
};
void dense_backward(Launcher& launch, int32_t precision, const DenseBackward& layer, const DenseScratch& scratch);

}  // namespace upsilon
