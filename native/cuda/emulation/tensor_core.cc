// mma and ldmatrix.  The products are exact in float; the order of the sum over k is the emulator's
// own choice, so compare results with a tolerance.
#include "meeting.h"

namespace ups::emu {

namespace {

constexpr unsigned rows_a = 16, columns_b = 8, max_k = 16;

struct Product {
  MmaShape shape;
  const uint32_t* a;
  const uint32_t* b;
  float* c;
};

float bf16_half(uint32_t pair, unsigned half) { return float_of((half == 0 ? pair << 16 : pair) & 0xffff0000u); }

struct Matrices {
  float a[rows_a][max_k];
  float b[max_k][columns_b];
  float c[rows_a][columns_b];
};

void gather_tf32(Matrices& matrices, const Product& product, unsigned group, unsigned pair) {
  constexpr uint32_t tf32_bits = ~0x1fffu;  // the tensor core does not look at the others
  for (unsigned i = 0; i < 4; ++i)
    matrices.a[group + 8 * (i % 2)][pair + 4 * (i / 2)] = float_of(product.a[i] & tf32_bits);
  for (unsigned i = 0; i < 2; ++i) matrices.b[pair + 4 * i][group] = float_of(product.b[i] & tf32_bits);
}

void gather_bf16(Matrices& matrices, const Product& product, unsigned group, unsigned pair) {
  for (unsigned half = 0; half < 2; ++half) {
    for (unsigned i = 0; i < 4; ++i)
      matrices.a[group + 8 * (i % 2)][2 * pair + 8 * (i / 2) + half] = bf16_half(product.a[i], half);
    for (unsigned i = 0; i < 2; ++i) matrices.b[2 * pair + 8 * i + half][group] = bf16_half(product.b[i], half);
  }
}

void multiply(Matrices& matrices, unsigned depth) {
  for (unsigned row = 0; row < rows_a; ++row)
    for (unsigned k = 0; k < depth; ++k)
      for (unsigned column = 0; column < columns_b; ++column)
        matrices.c[row][column] += matrices.a[row][k] * matrices.b[k][column];
}

void multiply_warp(Lane* warp) {
  Matrices matrices;
  const MmaShape shape = exchange_of<Product>(warp[0]).shape;
  for (unsigned lane = 0; lane < warp_lanes; ++lane) {
    const auto& product = exchange_of<Product>(warp[lane]);
    const unsigned group = lane / 4, pair = lane % 4;
    if (shape == MmaShape::tf32_m16n8k8) gather_tf32(matrices, product, group, pair);
    else gather_bf16(matrices, product, group, pair);
    for (unsigned i = 0; i < 4; ++i) matrices.c[group + 8 * (i / 2)][2 * pair + i % 2] = product.c[i];
  }
  multiply(matrices, shape == MmaShape::tf32_m16n8k8 ? 8 : 16);
  for (unsigned lane = 0; lane < warp_lanes; ++lane) {
    const auto& product = exchange_of<Product>(warp[lane]);
    for (unsigned i = 0; i < 4; ++i) product.c[i] = matrices.c[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + i % 2];
  }
}

struct Rows {
  const MatrixRow* row;
  uint32_t* registers;
  unsigned matrices;
  bool transposed;
};

uint16_t element(Lane* warp, unsigned matrix, unsigned row, unsigned column) {
  return exchange_of<Rows>(warp[8 * matrix + row]).row->numbers[column];
}

void load_warp(Lane* warp) {
  for (unsigned lane = 0; lane < warp_lanes; ++lane) {
    const auto& mine = exchange_of<Rows>(warp[lane]);
    const unsigned group = lane / 4, first = 2 * (lane % 4);
    for (unsigned matrix = 0; matrix < mine.matrices; ++matrix) {
      const uint32_t low = mine.transposed ? element(warp, matrix, first, group) : element(warp, matrix, group, first);
      const uint32_t high =
          mine.transposed ? element(warp, matrix, first + 1, group) : element(warp, matrix, group, first + 1);
      mine.registers[matrix] = low | high << 16;
    }
  }
}

}  // namespace

void mma(MmaShape shape, const uint32_t* a, const uint32_t* b, float* c, Site site) {
  Product product{shape, a, b, c};
  meet(~0u, &product, "mma", site, Memory::unordered, [](Lane* warp, uint32_t) { multiply_warp(warp); });
}

void load_matrices(uint32_t* registers, const MatrixRow& row, int matrices, bool transposed, Site site) {
  Rows rows{&row, registers, static_cast<unsigned>(matrices), transposed};
  meet(~0u, &rows, "ldmatrix", site, Memory::unordered, [](Lane* warp, uint32_t) { load_warp(warp); });
}

}  // namespace ups::emu
