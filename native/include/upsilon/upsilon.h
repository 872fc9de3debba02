/* upsilon.h: the C interface of the Υ(4S) kernels.
 *
 * Read this first:
 *  - A context holds a device, threads, workspace and the last error. Use one context per thread:
 *    contexts share no mutable state, so no call takes a lock. A call with a context that is in use
 *    on another thread returns UPS_BUSY.
 *  - Tensors are views with DLPack's memory layout (`ups_tensor` is byte for byte a `DLTensor`):
 *    the caller owns the memory, the library only reads inputs and writes outputs. Tensors must be
 *    dense and row-major.
 *  - Every operation is a function `ups_<operation>_forward` or `_backward`, declared in
 *    upsilon/ops/<operation>.h and described by one schema line. `ups_call` reaches the same
 *    operations by name.
 *  - Loading the library starts nothing: no thread, no CUDA. After fork() the child may use or
 *    destroy its parent's contexts; in the child they start their own threads.
 *  - The library never prints, aborts or exits, and throws no exceptions. A call that runs out of
 *    memory returns UPS_OUT_OF_MEMORY, and everything remains usable.
 *  - docs/abi.md says what later versions may change and what binaries can rely on. */
#ifndef UPSILON_UPSILON_H
#define UPSILON_UPSILON_H

#include <stddef.h>
#include <stdint.h>

/* A program or module that links the static library does not export ups_*; docs/abi.md says how to
 * export them. */
#if defined(UPS_STATIC)
#if defined(__GNUC__)
#define UPS_API __attribute__((visibility("hidden")))
#else
#define UPS_API
#endif
#elif defined(_WIN32)
#ifdef UPS_BUILDING
#define UPS_API __declspec(dllexport)
#else
#define UPS_API __declspec(dllimport)
#endif
#else
#define UPS_API __attribute__((visibility("default")))
#endif

/* In C++ every field has its default, so {.activation = UPS_ACTIVATION_RELU} is complete: `size` is
 * set and the other options keep their defaults. In C a struct of zeros means all defaults. */
#ifdef __cplusplus
#define UPS_DEFAULT(...) = __VA_ARGS__
#define UPS_NOEXCEPT noexcept
#else
#define UPS_DEFAULT(...)
#define UPS_NOEXCEPT
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define UPS_VERSION_MAJOR 0
#define UPS_VERSION_MINOR 1
#define UPS_VERSION_PATCH 0

/* ---- status -------------------------------------------------------------------------------------
 * The only list of codes: the C enum, the texts and the JavaScript codes ERR_UPSILON_<NAME> all
 * come from it. */
#define UPS_STATUS_LIST(X)                                                       \
  X(OK, 0, "no error")                                                           \
  X(SHAPE, 1, "a tensor's shape does not fit")                                   \
  X(DTYPE, 2, "a tensor's element type does not fit")                            \
  X(VALUE, 3, "a value or an option is not allowed")                             \
  X(DEVICE, 4, "a device is not available, or a tensor lives on another device") \
  X(OUT_OF_MEMORY, 5, "memory is exhausted")                                     \
  X(UNSUPPORTED, 6, "this variant does not support the case")                    \
  X(INTERNAL, 7, "a defect of the library")                                      \
  X(BUSY, 8, "the context is in use on another thread")

typedef enum ups_status {
#define UPS_STATUS_ENUM(name, value, text) UPS_##name = value,
  UPS_STATUS_LIST(UPS_STATUS_ENUM)
#undef UPS_STATUS_ENUM
} ups_status;

/* ---- tensors (layout of DLPack's DLTensor) --------------------------------------------------- */
typedef enum ups_device_type {
  UPS_CPU = 1, /* kDLCPU */
  UPS_CUDA = 2, /* kDLCUDA */
  UPS_CUDA_HOST = 3, /* kDLCUDAHost: pinned host memory */
  UPS_EMULATED = 12 /* kDLExtDev: the CUDA kernels run on the CPU, for tests */
} ups_device_type;

typedef struct ups_device {
  int32_t type; /* ups_device_type */
  int32_t id;
} ups_device;

typedef enum ups_dtype_code { UPS_INT = 0, UPS_UINT = 1, UPS_FLOAT = 2 } ups_dtype_code;

typedef struct ups_dtype {
  uint8_t code; /* ups_dtype_code */
  uint8_t bits;
  uint16_t lanes; /* always 1 */
} ups_dtype;

typedef struct ups_tensor {
  void* data;
  ups_device device;
  int32_t ndim;
  ups_dtype dtype;
  int64_t* shape;
  int64_t* strides; /* NULL, or the row-major strides, in elements */
  uint64_t byte_offset;
} ups_tensor;

#define UPS_MAX_DIMENSIONS 8

/* ---- context --------------------------------------------------------------------------------- */
typedef struct ups_context ups_context;

typedef enum ups_precision { UPS_FP32 = 0, UPS_TF32 = 1, UPS_BF16 = 2 } ups_precision;

/* Every options struct begins with its size, so that later versions can add fields: fields missing
 * from an older, shorter struct take their defaults. */
typedef struct ups_context_options {
  size_t size UPS_DEFAULT(sizeof(ups_context_options)); /* of this struct; 0 means its size in version 0.1 */
  ups_device device UPS_DEFAULT({0, 0}); /* {0, 0} means the CPU */
  int32_t threads UPS_DEFAULT(0); /* CPU threads; 0 means 1, -1 every core this process may use */
  int32_t precision UPS_DEFAULT(0); /* ups_precision of matrix products on CUDA; the CPU always computes in fp32 */
  /* NULL, or reference | baseline | avx2 | avx512 | cuda (lanes16 in builds with
   * UPSILON_LANES16). UPSILON_FORCE, if set, overrides it. */
  const char* variant UPS_DEFAULT(NULL);
} ups_context_options;

typedef struct ups_error {
  ups_status status;
  const char* operation; /* "graph_conv_forward"; "" if the error concerns no operation */
  const char* argument; /* "weight"; "" if it concerns no argument */
  const char* text; /* what was found and what was expected */
} ups_error;

UPS_API ups_status ups_context_create(const ups_context_options* options, ups_context** context) UPS_NOEXCEPT;
/* No thread may still be using the context. */
UPS_API void ups_context_destroy(ups_context* context) UPS_NOEXCEPT;
/* The last failure of this context; if context is NULL, of this thread's last ups_context_create.
 * Valid until the next call with the same context. On a thread whose last call with this context
 * returned UPS_BUSY, the error is that one; the error seen by the thread that is using the context
 * is unaffected. Texts longer than 1023 bytes are cut and end with an ellipsis. */
UPS_API const ups_error* ups_last_error(const ups_context* context) UPS_NOEXCEPT;
UPS_API const char* ups_status_text(ups_status status) UPS_NOEXCEPT;
UPS_API const char* ups_version(void) UPS_NOEXCEPT;
/* Waits for the device, and reports faults that kernels have found since the last call, such as an
 * index out of range. */
UPS_API ups_status ups_synchronize(ups_context* context) UPS_NOEXCEPT;
UPS_API ups_status ups_set_threads(ups_context* context, int32_t threads) UPS_NOEXCEPT;
/* Sets the precision (ups_precision) of later calls. */
UPS_API ups_status ups_set_precision(ups_context* context, int32_t precision) UPS_NOEXCEPT;
/* The variant that ran last in this context ("avx2", "reference", "cuda" ...); "" before the first
 * call. */
UPS_API const char* ups_last_variant(const ups_context* context) UPS_NOEXCEPT;

/* ---- devices --------------------------------------------------------------------------------- */
typedef struct ups_device_info {
  ups_device device;
  char name[128];
  char isa[32]; /* CPU: the widest instruction set in use; CUDA: compute capability, "9.0" */
  int32_t threads; /* CPU: cores this process may use; CUDA: multiprocessors */
  uint64_t memory; /* bytes of device memory; 0 for the CPU */
} ups_device_info;

/* Fills up to `capacity` entries and returns the number of devices, which may be larger. Loads the
 * CUDA plug-in if there is one. */
UPS_API int32_t ups_devices(ups_device_info* devices, int32_t capacity) UPS_NOEXCEPT;
/* Sets another directory to search for plug-ins. If UPSILON_PLUGIN_PATH is set, only that directory
 * is searched; otherwise first the library's own directory, then this one. Applies to the whole
 * process and may be called on any thread. Each plug-in is searched for only once, so call this
 * before the first use of a device. NULL or "" removes the directory. */
UPS_API ups_status ups_set_plugin_directory(const char* directory) UPS_NOEXCEPT;
/* NULL if the plug-in for this device type can be used, otherwise one sentence saying why not. */
UPS_API const char* ups_unavailable_because(int32_t device_type) UPS_NOEXCEPT;

/* ---- memory -------------------------------------------------------------------------------------
 * Blocks are reference counted and aligned to 64 bytes (256 on devices). Large host blocks request
 * huge pages. After release their memory is kept for the next block of about the same size, at most
 * 256 MiB per process. */
typedef struct ups_block ups_block;
UPS_API ups_status ups_block_create(ups_context* context, ups_device where, size_t bytes,
                                    ups_block** block) UPS_NOEXCEPT;
UPS_API ups_status ups_block_map_file(ups_context* context, const char* path,
                                      ups_block** block) UPS_NOEXCEPT; /* private, writable mapping */
UPS_API ups_block* ups_block_retain(ups_block* block) UPS_NOEXCEPT;
UPS_API void ups_block_release(ups_block* block) UPS_NOEXCEPT; /* on any thread */
UPS_API void* ups_block_data(const ups_block* block) UPS_NOEXCEPT;
UPS_API size_t ups_block_size(const ups_block* block) UPS_NOEXCEPT;
UPS_API ups_device ups_block_device(const ups_block* block) UPS_NOEXCEPT;
/* Blocks alive in this process, their bytes, and Arrow exports not yet released: all 0 if nothing
 * leaks. */
typedef struct ups_counters {
  int64_t blocks, block_bytes, arrow_exports, arrow_imports;
  int64_t recycled_bytes; /* of released blocks, kept for reuse; not a leak */
} ups_counters;
UPS_API ups_counters ups_count(void) UPS_NOEXCEPT;
/* Returns the memory kept for reuse to the system. May be called on any thread. */
UPS_API void ups_trim(void) UPS_NOEXCEPT;
/* Copies between tensors of equal shape and dtype, each on the host or on the context's device. */
UPS_API ups_status ups_copy(ups_context* context, const ups_tensor* source, ups_tensor* destination) UPS_NOEXCEPT;

/* Applied to the result of a layer. leakyRelu: slope 0.01; elu: alpha 1; gelu: the exact form;
 * leakyRelu0.2: slope 0.2, as is usual in adversarial networks. */
typedef enum ups_activation {
  UPS_ACTIVATION_NONE,
  UPS_ACTIVATION_RELU,
  UPS_ACTIVATION_LEAKY_RELU,
  UPS_ACTIVATION_ELU,
  UPS_ACTIVATION_GELU,
  UPS_ACTIVATION_TANH,
  UPS_ACTIVATION_SIGMOID,
  UPS_ACTIVATION_LEAKY_RELU_02
} ups_activation;

/* How the rows of a set, or the positions in a window, are reduced to one. */
typedef enum ups_pool { UPS_POOL_SUM, UPS_POOL_MEAN, UPS_POOL_MAX, UPS_POOL_MIN } ups_pool;

/* ---- operations, by name ------------------------------------------------------------------------
 * The schema line of an operation is its contract:
 *   "x: real[N,K], weight: real[M,K], bias?: real[M] -> y: real[N,M];
 *    activation: none|relu, scale: f32 = 1"
 * `real` is f32 or f64, the same throughout a call. `?` marks an optional argument, which may be
 * NULL; for an output this means that it is not wanted. Rules after the brackets apply to the
 * elements of the argument, and are checked as well:
 *   splits N                 non-decreasing, first >= 0, last <= N
 *   below N                  0 <= every element < N
 *   forest offsets           mother indices within the event, -1 for a root, no cycles
 *   finite                   (real) no NaN, no infinity
 *   numbers                  (real) no NaN
 *   sorts keys by offsets    for each set, the indices of its elements, in the stable ascending
 *                            order of their keys
 *   pairs H offsets others   H elements for each pair within an event: one member from the rows
 *                            that `offsets` divides into events, the other from those of `others`
 * Dimensions: `...` stands for any number of leading dimensions, `M1|M0` for the first of these
 * that the call has, `H*F` for a product, and `H^concat` for a factor that applies only if the
 * option `concat` is set. `y&` is an output that is updated in place.
 * Options: `stride: i32 = 1 from 1` is an option with its default and its limits. `from` and `to`
 * include the limit, `above` and `below` exclude it.
 * Lists: ups_operation_schema returns them expanded. The headers write `{l=1..3: weight<l>:
 * real[M<l>, M<l-1>]}` for weight1, weight2 and weight3, `{l=3..0|M<l>}` for M3|M2|M1|M0,
 * `{k=0..2+F<k>}` for F0+F1+F2, and `x<k><k?>` for x0, x1?, x2?.
 * The C struct of options holds its size and then the options in schema order: enumerations and
 * bool as int32_t, all others in their own type. */
typedef struct ups_operation ups_operation;
/* NULL if there is no such operation. If memory runs out before the first context of the process
 * has been created, these functions return NULL, and ups_operation_count returns 0. */
UPS_API const ups_operation* ups_operation_find(const char* name) UPS_NOEXCEPT;
UPS_API int32_t ups_operation_count(void) UPS_NOEXCEPT;
UPS_API const ups_operation* ups_operation_at(int32_t index) UPS_NOEXCEPT;
UPS_API const char* ups_operation_name(const ups_operation* operation) UPS_NOEXCEPT;
UPS_API const char* ups_operation_schema(const ups_operation* operation) UPS_NOEXCEPT;
/* The variants that this process can run, separated by spaces: "reference baseline avx2 avx512". */
UPS_API const char* ups_operation_variants(const ups_operation* operation) UPS_NOEXCEPT;
/* `tensors` are in schema order, inputs before outputs. `options` is the operation's struct, or
 * NULL for the defaults. Options structs begin with `size_t size`:
 *   0                      all defaults; the other fields must be zero, because they would have no
 *                          effect
 *   sizeof(the struct)     in this header or an older one; fields missing from an older struct take
 *                          their defaults
 *   larger                 the struct comes from a newer header; fields unknown to this version
 *                          must be zero
 * Anything else fails with UPS_VALUE and names `options`. */
UPS_API ups_status ups_call(ups_context* context, const ups_operation* operation, const ups_tensor* const* tensors,
                            int32_t count, const void* options) UPS_NOEXCEPT;

/* ---- Arrow C Data Interface ------------------------------------------------------------------ */
struct ArrowArray;
struct ArrowSchema;
/* A view of a primitive, list or fixed-size-list column without nulls. The shape is stored in
 * `shape`, which must have room for UPS_MAX_DIMENSIONS numbers and live as long as the tensor. The
 * array must outlive the view. For a list column, `offsets` receives the event boundaries; it may
 * be NULL if the column is not a list. */
UPS_API ups_status ups_tensor_from_arrow(ups_context* context, const struct ArrowArray* array,
                                         const struct ArrowSchema* schema, ups_tensor* values, int64_t* shape,
                                         ups_tensor* offsets, int64_t* offsets_shape) UPS_NOEXCEPT;
/* Exports a tensor in a block as a primitive or fixed-size-list array; with `offsets` (in
 * `offsets_block`) as a list of these. The blocks are retained until the consumer releases the
 * array, which it may do on any thread. */
UPS_API ups_status ups_tensor_to_arrow(ups_context* context, const ups_tensor* values, ups_block* values_block,
                                       const ups_tensor* offsets, ups_block* offsets_block, struct ArrowArray* array,
                                       struct ArrowSchema* schema) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
