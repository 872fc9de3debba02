/* tree_conv: convolution on decay trees, with separate weights for mother, particle and daughters
 * (the network of J. Kahn's selective background simulation at Belle II: W_p x_p + W x + W_d sum
 * x_d).
 *
 *   y_i = act(W_self x_i + W_parent x_mother(i) + W_daughters sum over daughters d of x_d + b)
 * mother[i] is the index of i's mother inside its own event, -1 for a root; offsets are the event
 * boundaries. A root has no parent term, a leaf no daughters term. normalization:
 *   none       as above
 *   mean       the daughters' sum is divided by their number
 *   symmetric  the term of neighbour j (itself included) is weighted by 1/sqrt(d_i d_j),
 *              d = 1 + number of daughters + (1 with a mother), the degree of A + I of the
 *              undirected tree
 * Rows outside every event give 0. No CSR is built: the mother indices are the graph.
 * Sums over daughters run in the order of the nodes: the same bits for any number of threads and
 * any batching. */
#ifndef UPSILON_OPS_TREE_CONV_H
#define UPSILON_OPS_TREE_CONV_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_TREE_CONV_INPUTS_SCHEMA                                              \
  "offsets: i32[B+1] splits N, mother: i32[N] forest offsets, x: real[N, Fin], " \
  "self: real[Fout, Fin], parent: real[Fout, Fin], daughters: real[Fout, Fin], bias?: real[Fout]"
#define UPS_TREE_CONV_OPTIONS_SCHEMA "; normalization: none|mean|symmetric, activation: activation"
#define UPS_TREE_CONV_FORWARD_SCHEMA UPS_TREE_CONV_INPUTS_SCHEMA " -> y: real[N, Fout]" UPS_TREE_CONV_OPTIONS_SCHEMA
#define UPS_TREE_CONV_BACKWARD_SCHEMA                                                     \
  UPS_TREE_CONV_INPUTS_SCHEMA                                                             \
  ", y: real[N, Fout], dy: real[N, Fout] -> dx?: real[N, Fin], dself?: real[Fout, Fin], " \
  "dparent?: real[Fout, Fin], ddaughters?: real[Fout, Fin], dbias?: real[Fout]" UPS_TREE_CONV_OPTIONS_SCHEMA

typedef enum ups_tree_normalization {
  UPS_TREE_NORMALIZATION_NONE,
  UPS_TREE_NORMALIZATION_MEAN,
  UPS_TREE_NORMALIZATION_SYMMETRIC
} ups_tree_normalization;

typedef struct ups_tree_conv_options {
  size_t size UPS_DEFAULT(sizeof(ups_tree_conv_options)); /* of this struct; 0: all defaults */
  int32_t normalization UPS_DEFAULT(0); /* ups_tree_normalization */
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
} ups_tree_conv_options;

UPS_API ups_status ups_tree_conv_forward(ups_context* context, const ups_tensor* offsets, const ups_tensor* mother,
                                         const ups_tensor* x, const ups_tensor* self, const ups_tensor* parent,
                                         const ups_tensor* daughters, const ups_tensor* bias, ups_tensor* y,
                                         const ups_tree_conv_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_tree_conv_backward(ups_context* context, const ups_tensor* offsets, const ups_tensor* mother,
                                          const ups_tensor* x, const ups_tensor* self, const ups_tensor* parent,
                                          const ups_tensor* daughters, const ups_tensor* bias, const ups_tensor* y,
                                          const ups_tensor* dy, ups_tensor* dx, ups_tensor* dself, ups_tensor* dparent,
                                          ups_tensor* ddaughters, ups_tensor* dbias,
                                          const ups_tree_conv_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
