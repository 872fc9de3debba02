/* A C99 program that runs one dense layer, and then asks for something impossible. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <upsilon/ops.h>
#include <upsilon/upsilon.h>

static ups_tensor matrix(float* data, int64_t* shape) {
  ups_tensor tensor = {0};
  tensor.data = data;
  tensor.device.type = UPS_CPU;
  tensor.ndim = 2;
  tensor.dtype.code = UPS_FLOAT;
  tensor.dtype.bits = 32;
  tensor.dtype.lanes = 1;
  tensor.shape = shape;
  return tensor;
}

int main(void) {
  /* Energy and momentum {GeV} of a K+, a pi- and a photon; the layer takes E - p and E + p. */
  float particles[] = {1.0f, 0.87f, 0.5f, 0.48f, 0.3f, 0.3f};
  float weights[] = {1.0f, -1.0f, 1.0f, 1.0f};
  float features[6] = {0};
  int64_t particles_shape[] = {3, 2}, weights_shape[] = {2, 2}, features_shape[] = {3, 2};
  const ups_tensor x = matrix(particles, particles_shape), weight = matrix(weights, weights_shape);
  ups_tensor y = matrix(features, features_shape);
  const ups_linear_options options = {.size = sizeof options, .activation = UPS_ACTIVATION_RELU};
  ups_context* context = NULL;
  const ups_error* error;
  int i;

  if (ups_context_create(NULL, &context) != UPS_OK) return 1;
  if (ups_operation_count() < 2) return 2; /* a static library that lost its operations */
  if (ups_linear_forward(context, &x, &weight, NULL, &y, &options) != UPS_OK) {
    fprintf(stderr, "%s\n", ups_last_error(context)->text);
    return 3;
  }
  for (i = 0; i < 3; ++i) {
    const float energy = particles[2 * i], momentum = particles[2 * i + 1];
    if (fabsf(features[2 * i] - (energy - momentum)) > 1e-6f) return 4;
    if (fabsf(features[2 * i + 1] - (energy + momentum)) > 1e-6f) return 5;
  }

  weights_shape[1] = 3;
  if (ups_linear_forward(context, &x, &weight, NULL, &y, NULL) != UPS_SHAPE) return 6;
  error = ups_last_error(context);
  if (strcmp(error->operation, "linear_forward") != 0 || strcmp(error->argument, "weight") != 0) return 7;
  ups_context_destroy(context);
  printf("C program, libupsilon %s: one layer, one refusal (%s)\n", ups_version(), "weight");
  return 0;
}
