// Checked calls of the optimiser steps, as plain numbers and pointers. Numbers that depend on the
// step are worked out in double and rounded once.
#pragma once
#include <cmath>

#include "core/named_call.h"
#include "optim/optim.h"

namespace upsilon {

inline constexpr OperationLine accumulate_line{"accumulate", UPS_ACCUMULATE_SCHEMA};
using AccumulateCall = CallOf<accumulate_line, ups_accumulate_options>;
inline constexpr OperationLine sgd_line{"sgd", UPS_SGD_SCHEMA};
using SgdCall = CallOf<sgd_line, ups_sgd_options>;
inline constexpr OperationLine adam_line{"adam", UPS_ADAM_SCHEMA};
using AdamCall = CallOf<adam_line, ups_adam_options>;

template <class T>
struct Accumulate {
  int64_t count;
  const T* x;
  T* y;
  T scale;

  explicit Accumulate(const AccumulateCall& call)
      : count(call.dim("...")), x(call["x"]), y(call["y"]), scale(static_cast<T>(call.options().scale)) {}
};

template <class T>
struct Sgd {
  int64_t count;
  const T* gradient;
  T *parameter, *velocity;
  T learning_rate, momentum, weight_decay;
  bool nesterov, first_step;

  explicit Sgd(const SgdCall& call)
      : count(call.dim("...")), gradient(call["gradient"]), parameter(call["parameter"]), velocity(call["velocity"]) {
    const auto& o = call.options();
    learning_rate = static_cast<T>(o.learning_rate);
    momentum = static_cast<T>(o.momentum);
    weight_decay = static_cast<T>(o.weight_decay);
    nesterov = o.nesterov != 0;
    first_step = o.step == 1;
  }
};

template <class T>
struct Adam {
  int64_t count;
  const T* gradient;
  T *parameter, *mean, *square;
  T beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon;
  T step_size;  // learning_rate / (1 - beta1^step)
  T square_scale;  // 1 / (1 - beta2^step)
  T gradient_decay;  // weight_decay, where it is a part of the gradient
  T parameter_factor;  // 1 - learning_rate weight_decay, where it is decoupled

  explicit Adam(const AdamCall& call)
      : count(call.dim("...")), gradient(call["gradient"]), parameter(call["parameter"]), mean(call["mean"]),
        square(call["square"]) {
    const auto& o = call.options();
    beta1 = static_cast<T>(o.beta1);
    one_minus_beta1 = static_cast<T>(1 - o.beta1);
    beta2 = static_cast<T>(o.beta2);
    one_minus_beta2 = static_cast<T>(1 - o.beta2);
    epsilon = static_cast<T>(o.epsilon);
    step_size = static_cast<T>(o.learning_rate / (1 - std::pow(o.beta1, o.step)));
    square_scale = static_cast<T>(1 / (1 - std::pow(o.beta2, o.step)));
    gradient_decay = static_cast<T>(o.decoupled ? 0.0 : o.weight_decay);
    parameter_factor = static_cast<T>(o.decoupled ? 1 - o.learning_rate * o.weight_decay : 1.0);
  }
};

// Steps count from 1: Adam's corrections divide by zero at 0.
}  // namespace upsilon
