// One event after the other through the C interface, as event processing in C++ would: the network of the selective
// background simulation on one decay tree, one thread, all memory the caller's. JSON on standard output: the
// score, how often memory was asked for during the calls, and how long each took.
//
//   upsilon_one_event <file> [calls]
//
// The file, written by the bench, holds int32 counts (nodes, kinds, embedding width, features, hidden width), then
// tokens and mothers (int32), features, embedding table, three layers (self, parent, daughters, bias) and the output
// layer (weight, bias), all float32.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "count_allocations.h"
#include "upsilon/ops.h"
#include "upsilon/upsilon.h"

namespace {

struct Matrix {
  ups_tensor tensor{};
  int64_t shape[2] = {};
  std::vector<float> values;
  std::vector<int32_t> indices;

  Matrix() = default;
  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;

  void reals(int64_t rows, int64_t columns) {
    values.resize(static_cast<size_t>(rows * std::max<int64_t>(columns, 1)));
    describe(values.data(), rows, columns, {UPS_FLOAT, 32, 1});
  }
  void integers(int64_t rows) {
    indices.resize(static_cast<size_t>(rows));
    describe(indices.data(), rows, 0, {UPS_INT, 32, 1});
  }
  const ups_tensor* view() const { return &tensor; }

 private:
  // columns 0: a vector
  void describe(void* data, int64_t rows, int64_t columns, ups_dtype dtype) {
    shape[0] = rows;
    shape[1] = columns;
    tensor = {data, {UPS_CPU, 0}, columns > 0 ? 2 : 1, dtype, shape, nullptr, 0};
  }
};

template <class T>
void read(std::FILE* file, std::vector<T>& into) {
  if (std::fread(into.data(), sizeof(T), into.size(), file) == into.size()) return;
  std::fputs("upsilon_one_event: the file is too short\n", stderr);
  std::exit(2);
}

struct TreeLayer {
  Matrix self, parent, daughters, bias, result;
};

struct Network {
  Matrix tokens, mother, offsets, features, table, embedded, pooled, weight, bias, probability;
  TreeLayer layers[3];

  explicit Network(std::FILE* file) {
    std::vector<int32_t> counts(5);
    read(file, counts);
    const int64_t nodes = counts[0], kinds = counts[1], width = counts[2], inputs = counts[3], hidden = counts[4];
    tokens.integers(nodes);
    mother.integers(nodes);
    offsets.integers(2);
    offsets.indices[1] = counts[0];
    features.reals(nodes, inputs);
    table.reals(kinds, width);
    embedded.reals(nodes, width + inputs);
    read(file, tokens.indices);
    read(file, mother.indices);
    read(file, features.values);
    read(file, table.values);
    int64_t channels = width + inputs;
    for (TreeLayer& layer : layers) {
      for (Matrix* weights : {&layer.self, &layer.parent, &layer.daughters}) {
        weights->reals(hidden, channels);
        read(file, weights->values);
      }
      layer.bias.reals(hidden, 0);
      read(file, layer.bias.values);
      layer.result.reals(nodes, hidden);
      channels = hidden;
    }
    pooled.reals(1, hidden);
    weight.reals(1, hidden);
    bias.reals(1, 0);
    probability.reals(1, 1);
    read(file, weight.values);
    read(file, bias.values);
  }

  ups_status run(ups_context* context) {
    const ups_tree_conv_options convolution{UPS_TREE_NORMALIZATION_MEAN, UPS_ACTIVATION_RELU};
    const ups_set_pool_options mean{UPS_POOL_MEAN};
    const ups_linear_options sigmoid{UPS_ACTIVATION_SIGMOID};
    ups_status status = ups_embedding_forward(context, tokens.view(), table.view(), features.view(), embedded.view());
    const ups_tensor* x = embedded.view();
    for (const TreeLayer& layer : layers) {
      if (status != UPS_OK) return status;
      status = ups_tree_conv_forward(context, offsets.view(), mother.view(), x, layer.self.view(), layer.parent.view(),
                                     layer.daughters.view(), layer.bias.view(), layer.result.view(), &convolution);
      x = layer.result.view();
    }
    if (status == UPS_OK) status = ups_set_pool_forward(context, x, offsets.view(), nullptr, pooled.view(), &mean);
    if (status == UPS_OK)
      status = ups_linear_forward(context, pooled.view(), weight.view(), bias.view(), probability.view(), &sigmoid);
    return status;
  }
};

}  // namespace

int main(int count, char** words) {
  std::FILE* file = count > 1 ? std::fopen(words[1], "rb") : nullptr;
  if (!file) {
    std::fputs("upsilon_one_event <file> [calls]\n", stderr);
    return 2;
  }
  Network network(file);
  std::fclose(file);
  const int calls = count > 2 ? std::max(1, std::atoi(words[2])) : 1000;
  ups_context* context = nullptr;
  if (ups_context_create(nullptr, &context) != UPS_OK || network.run(context) != UPS_OK) {
    std::fprintf(stderr, "upsilon_one_event: %s\n", ups_last_error(context)->text);
    return 1;
  }
  for (int warm = 0; warm < calls / 10; ++warm) network.run(context);
  std::vector<double> microseconds(static_cast<size_t>(calls));
  const int64_t before = allocations_so_far();
  for (double& elapsed : microseconds) {
    const auto start = std::chrono::steady_clock::now();
    network.run(context);
    elapsed = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  }
  const int64_t allocations = allocations_so_far() - before;
  std::printf("{\"passProbability\": %.9g, \"allocations\": %s, \"variant\": \"%s\", \"us\": [",
              network.probability.values[0], allocations_are_counted() ? std::to_string(allocations).c_str() : "null",
              ups_last_variant(context));
  for (size_t i = 0; i < microseconds.size(); ++i) std::printf("%s%.3f", i ? ", " : "", microseconds[i]);
  std::puts("]}");
  ups_context_destroy(context);
}
