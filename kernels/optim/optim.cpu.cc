// SIMD: one pass, each element by itself. Floor: memory, 12 (accumulate), 12 or 20 (sgd) and 28
// (adam) bytes per element.
#include "optim/optim.h"
#include "optim/optim_call.h"

#define UPS_SIMD_SOURCE "optim/optim.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

// Calls body(i, here) for vectors over [0, count), in tasks of a size that is worth handing out.
template <class Body>
void each_element(Threads& threads, int64_t count, Body&& body) {
  constexpr int64_t task_elements = 16384;
  threads.run(ceil_div(count, task_elements), [&](int64_t task, int32_t) {
    const int64_t first = task * task_elements;
    each_vector(std::min(task_elements, count - first), [&](int64_t i, int64_t here) { body(first + i, here); });
  });
}

ups_status accumulate(const Call& call) {
  const Accumulate<float> f(call);
  each_element(*call.threads, f.count, [&](int64_t i, int64_t here) {
    store_some(f.y + i, load_some(f.y + i, here) + broadcast(f.scale) * load_some(f.x + i, here), here);
  });
  return UPS_OK;
}

ups_status sgd(const Call& call) {
  const Sgd<float> f(call);
  each_element(*call.threads, f.count, [&](int64_t i, int64_t here) {
    const Floats parameter = load_some(f.parameter + i, here);
    Floats gradient = load_some(f.gradient + i, here) + broadcast(f.weight_decay) * parameter;
    if (f.velocity) {
      Floats velocity = gradient;
      if (!f.first_step) velocity = broadcast(f.momentum) * load_some(f.velocity + i, here) + gradient;
      store_some(f.velocity + i, velocity, here);
      gradient = f.nesterov ? gradient + broadcast(f.momentum) * velocity : velocity;
    }
    store_some(f.parameter + i, parameter - broadcast(f.learning_rate) * gradient, here);
  });
  return UPS_OK;
}

ups_status adam(const Call& call) {
  const Adam<float> f(call);
  each_element(*call.threads, f.count, [&](int64_t i, int64_t here) {
    const Floats parameter = load_some(f.parameter + i, here);
    const Floats gradient = load_some(f.gradient + i, here) + broadcast(f.gradient_decay) * parameter;
    const Floats mean = broadcast(f.beta1) * load_some(f.mean + i, here) + broadcast(f.one_minus_beta1) * gradient;
    const Floats square =
        broadcast(f.beta2) * load_some(f.square + i, here) + broadcast(f.one_minus_beta2) * gradient * gradient;
    const Floats root = sqrt(broadcast(f.square_scale) * square) + broadcast(f.epsilon);
    store_some(f.mean + i, mean, here);
    store_some(f.square + i, square, here);
    store_some(f.parameter + i, broadcast(f.parameter_factor) * parameter - broadcast(f.step_size) * mean / root, here);
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(accumulate, AccumulateCall, accumulate)
UPS_CPU_VARIANT(sgd, SgdCall, sgd)
UPS_CPU_VARIANT(adam, AdamCall, adam)

UPS_SIMD_END
