// The network of the selective background simulation on one decay tree through the C interface, as
// event processing in C++ would call it: one thread, all memory the caller's.
//
//   upsilon_tree_event <file> [calls]
//
// The file holds int32 counts (nodes, kinds, embedding width, features, hidden width), then tokens
// and mothers (int32), features, embedding table, three layers (self, parent, daughters, bias) and
// the output layer (weight, bias), all float32.
#include "event_program.h"
#include "upsilon/ops.h"

namespace {

struct TreeLayer {
  OwnedTensor self, parent, daughters, bias, result;
};

class Network {
 public:
  explicit Network(std::FILE* file) {
    std::vector<int32_t> counts(5);
    read(file, counts);
    const int64_t nodes = counts[0], kinds = counts[1], width = counts[2], inputs = counts[3], hidden = counts[4];
    tokens_.integers(nodes);
    mother_.integers(nodes);
    offsets_.integers(2);
    offsets_.indices[1] = counts[0];
    features_.reals({nodes, inputs});
    table_.reals({kinds, width});
    embedded_.reals({nodes, width + inputs});
    read(file, tokens_.indices);
    read(file, mother_.indices);
    read(file, features_.values);
    read(file, table_.values);
    int64_t channels = width + inputs;
    for (TreeLayer& layer : layers_) {
      for (OwnedTensor* weights : {&layer.self, &layer.parent, &layer.daughters}) {
        weights->reals({hidden, channels});
        read(file, weights->values);
      }
      layer.bias.reals({hidden});
      read(file, layer.bias.values);
      layer.result.reals({nodes, hidden});
      channels = hidden;
    }
    pooled_.reals({1, hidden});
    weight_.reals({1, hidden});
    bias_.reals({1});
    probability_.reals({1, 1});
    read(file, weight_.values);
    read(file, bias_.values);
  }

  ups_status run(ups_context* context) {
    const ups_tree_conv_options convolution{.normalization = UPS_TREE_NORMALIZATION_MEAN,
                                            .activation = UPS_ACTIVATION_RELU};
    const ups_set_pool_options mean{.pool = UPS_POOL_MEAN};
    const ups_linear_options sigmoid{.activation = UPS_ACTIVATION_SIGMOID};
    ups_status status =
        ups_embedding_forward(context, tokens_.view(), table_.view(), features_.view(), embedded_.view());
    const ups_tensor* x = embedded_.view();
    for (TreeLayer& layer : layers_) {
      if (status != UPS_OK) return status;
      status =
          ups_tree_conv_forward(context, offsets_.view(), mother_.view(), x, layer.self.view(), layer.parent.view(),
                                layer.daughters.view(), layer.bias.view(), layer.result.view(), &convolution);
      x = layer.result.view();
    }
    if (status == UPS_OK) status = ups_set_pool_forward(context, x, offsets_.view(), nullptr, pooled_.view(), &mean);
    if (status == UPS_OK)
      status = ups_linear_forward(context, pooled_.view(), weight_.view(), bias_.view(), probability_.view(), &sigmoid);
    return status;
  }
  float score() const { return probability_.values[0]; }

 private:
  OwnedTensor tokens_, mother_, offsets_, features_, table_, embedded_, pooled_, weight_, bias_, probability_;
  TreeLayer layers_[3];
};

}  // namespace

int main(int count, char** words) { return time_events<Network>(count, words); }
