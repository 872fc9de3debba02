// GATGAP, graph attention of several layers and an attention-weighted mean, on one decay tree
// through the C interface: the network of basf2's selective background simulation after 2022. One
// thread, all memory the caller's.
//
//   upsilon_attention_event <file> [calls]
//
// The file holds int32 counts (nodes, edges, kinds, embedding width, features, heads, units,
// layers), then tokens, row offsets and sources (int32), features, embedding table, the weights of
// all layers, their attention of the source, of the target, their biases, then gate and output
// weight, all float32.
#include "event_program.h"
#include "upsilon/ops.h"

namespace {

struct AttentionLayer {
  OwnedTensor weight, attention_source, attention_target, bias, result;
};

class Network {
 public:
  explicit Network(std::FILE* file) {
    std::vector<int32_t> counts(8);
    read(file, counts);
    const int64_t nodes = counts[0], edges = counts[1], kinds = counts[2], width = counts[3], inputs = counts[4],
                  heads = counts[5], units = counts[6], hidden = heads * units;
    tokens_.integers(nodes);
    row_offsets_.integers(nodes + 1);
    sources_.integers(edges);
    offsets_.integers(2);
    offsets_.indices[1] = counts[0];
    features_.reals({nodes, inputs});
    table_.reals({kinds, width});
    embedded_.reals({nodes, width + inputs});
    for (OwnedTensor* integers : {&tokens_, &row_offsets_, &sources_}) read(file, integers->indices);
    for (OwnedTensor* reals : {&features_, &table_}) read(file, reals->values);
    layers_ = std::vector<AttentionLayer>(static_cast<size_t>(counts[7]));
    int64_t channels = width + inputs;
    for (AttentionLayer& layer : layers_) {
      layer.weight.reals({hidden, channels});
      layer.attention_source.reals({heads, units});
      layer.attention_target.reals({heads, units});
      layer.bias.reals({hidden});
      layer.result.reals({nodes, hidden});
      channels = hidden;
    }
    for (OwnedTensor AttentionLayer::* part : {&AttentionLayer::weight, &AttentionLayer::attention_source,
                                               &AttentionLayer::attention_target, &AttentionLayer::bias})
      for (AttentionLayer& layer : layers_) read(file, (layer.*part).values);
    gate_.reals({hidden});
    output_.reals({1, hidden});
    read(file, gate_.values);
    read(file, output_.values);
    pooled_.reals({1, hidden});
    probability_.reals({1, 1});
  }

  ups_status run(ups_context* context) {
    const ups_graph_attention_conv_options attention{
        .negative_slope = 0.2f, .concat = 1, .self_loops = 1, .activation = UPS_ACTIVATION_ELU};
    const ups_linear_options sigmoid{.activation = UPS_ACTIVATION_SIGMOID};
    ups_status status =
        ups_embedding_forward(context, tokens_.view(), table_.view(), features_.view(), embedded_.view());
    const ups_tensor* x = embedded_.view();
    for (AttentionLayer& layer : layers_) {
      if (status != UPS_OK) return status;
      status = ups_graph_attention_conv_forward(context, row_offsets_.view(), sources_.view(), x, layer.weight.view(),
                                                layer.attention_source.view(), layer.attention_target.view(),
                                                layer.bias.view(), layer.result.view(), &attention);
      x = layer.result.view();
    }
    if (status == UPS_OK)
      status = ups_attention_pool_forward(context, x, offsets_.view(), gate_.view(), nullptr, pooled_.view());
    if (status == UPS_OK)
      status = ups_linear_forward(context, pooled_.view(), output_.view(), nullptr, probability_.view(), &sigmoid);
    return status;
  }
  float score() const { return probability_.values[0]; }

 private:
  OwnedTensor tokens_, row_offsets_, sources_, offsets_, features_, table_, embedded_, gate_, output_, pooled_,
      probability_;
  std::vector<AttentionLayer> layers_;
};

}  // namespace

int main(int count, char** words) { return time_events<Network>(count, words); }
