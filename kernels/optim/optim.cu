// CUDA: one pass over parameter, gradient and state. Floor: each of them once through memory.
#include "optim/optim.h"

#include "lib/cuda/cuda.h"
#include "optim/optim_call.h"

namespace upsilon {
namespace {

template <int threads>
UPS_KERNEL_LB(threads)
accumulate_step(const int32_t* fault, Accumulate<float> f) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < f.count; i += global_threads()) f.y[i] += f.scale * f.x[i];
}

template <int threads>
UPS_KERNEL_LB(threads)
sgd_step(const int32_t* fault, Sgd<float> f) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < f.count; i += global_threads()) {
    float gradient = f.gradient[i] + f.weight_decay * f.parameter[i];
    if (f.velocity) {
      const float velocity = f.first_step ? gradient : f.momentum * f.velocity[i] + gradient;
      f.velocity[i] = velocity;
      gradient = f.nesterov ? gradient + f.momentum * velocity : velocity;
    }
    f.parameter[i] -= f.learning_rate * gradient;
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
adam_step(const int32_t* fault, Adam<float> f) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < f.count; i += global_threads()) {
    const float parameter = f.parameter[i], gradient = f.gradient[i] + f.gradient_decay * parameter;
    const float mean = f.beta1 * f.mean[i] + f.one_minus_beta1 * gradient;
    const float square = f.beta2 * f.square[i] + f.one_minus_beta2 * gradient * gradient;
    f.mean[i] = mean;
    f.square[i] = square;
    f.parameter[i] = f.parameter_factor * parameter - f.step_size * mean / (sqrtf(f.square_scale * square) + f.epsilon);
  }
}

ups_status run_accumulate(const Call& call) {
  const Accumulate<float> f(call);
  Launcher launch(call);
  launch.elements(accumulate_step<block_threads>, f.count, f);
  return launch.status();
}

ups_status run_sgd(const Call& call) {
  const Sgd<float> f(call);
  Launcher launch(call);
  launch.elements(sgd_step<block_threads>, f.count, f);
  return launch.status();
}

ups_status run_adam(const Call& call) {
  const Adam<float> f(call);
  Launcher launch(call);
  launch.elements(adam_step<block_threads>, f.count, f);
  return launch.status();
}

UPS_CUDA_VARIANT(accumulate, AccumulateCall, run_accumulate)
UPS_CUDA_VARIANT(sgd, SgdCall, run_sgd)
UPS_CUDA_VARIANT(adam, AdamCall, run_adam)

}  // namespace
}  // namespace upsilon
