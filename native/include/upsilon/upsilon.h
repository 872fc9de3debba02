/* upsilon.h: the C interface of the Υ(4S) kernels.
 *
 * What a reader needs to know first:
 *  - A context holds a device, threads, workspace and the last error. Use one context for each of
 *    your threads: contexts share nothing that changes, so no call takes a lock. A context that is
 *    in use on another thread answers UPS_BUSY.
 *  - Tensors are views with DLPack's memory layout (`ups_tensor` is byte for byte a `DLTensor`):
 *    the caller owns the memory, the library only reads inputs and writes outputs. Tensors must be
 *    dense and row-major.
 *  - Every operation is a function `ups_<operation>_forward` or `_backward`, declared in
 *    upsilon/ops/<operation>.h and described by one schema line. `ups_call` reaches the same
 *    operations by name.
 *  - Loading the library starts nothing: no thread, no CUDA. After fork() the child may use or
 *    destroy its parent's contexts; they start threads of their own there.
 *  - The library never prints, aborts or exits, and no exception leaves it. Where there is no
 *    memory, a call returns UPS_OUT_OF_MEMORY, and everything remains usable.
 *  - docs/abi.md says what later versions may change, and what binaries can rely on. */
#ifndef UPSILON_UPSILON_H
#define UPSILON_UPSILON_H

#include <stddef.h>
#include <stdint.h>

/* A program or module that links the static library keeps ups_* to itself; docs/abi.md says how it
 * can show them. */
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

/* In C++ a struct's fields begin with their defaults, so that {.activation = UPS_ACTIVATION_RELU}
 * says all there is to say and `size` is right by itself. In C a struct of zeros stands for the
 * defaults. */
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
 * The one list of codes: C enum, text and the JavaScript codes ERR_UPSILON_<NAME> come from it. */
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

/* Every struct of options begins with its size, which lets it grow: fields that a shorter, older
 * struct does not have take their defaults. */
typedef struct ups_context_options {
  size_t size UPS_DEFAULT(sizeof(ups_context_options)); /* of this struct; 0: the size it had in version 0.1 */
  ups_device device UPS_DEFAULT({0, 0}); /* {0, 0} means the CPU */
  int32_t threads UPS_DEFAULT(0); /* CPU threads: 0 means 1; -1 means every core this process may use */
  int32_t precision UPS_DEFAULT(0); /* ups_precision of matrix products on CUDA; the CPU always computes in fp32 */
  /* NULL, or reference | baseline | avx2 | avx512 | cuda: like UPSILON_FORCE, which wins */
  const char* variant UPS_DEFAULT(NULL);
} ups_context_options;

typedef struct ups_error {
  ups_status status;
  const char* operation; /* "graph_conv_forward"; "" where no operation is to blame */
  const char* argument; /* "weight"; "" where no argument is to blame */
  const char* text; /* what was found, what was wanted */
} ups_error;

UPS_API ups_status ups_context_create(const ups_context_options* options, ups_context** context) UPS_NOEXCEPT;
/* No thread may be using the context any more. */
UPS_API void ups_context_destroy(ups_context* context) UPS_NOEXCEPT;
/* The last failure of this context, or of this thread's last ups_context_create when context is
 * NULL. Valid until the next call with the same context. On a thread whose last call with this
 * context was refused with UPS_BUSY it says so, and leaves the error of the thread that uses the
 * context alone. Texts of more than 1023 bytes end with an ellipsis. */
UPS_API const ups_error* ups_last_error(const ups_context* context) UPS_NOEXCEPT;
UPS_API const char* ups_status_text(ups_status status) UPS_NOEXCEPT;
UPS_API const char* ups_version(void) UPS_NOEXCEPT;
/* Waits for the device; faults found by kernels since the last call (an index out of range) are
 * reported here. */
UPS_API ups_status ups_synchronize(ups_context* context) UPS_NOEXCEPT;
UPS_API ups_status ups_set_threads(ups_context* context, int32_t threads) UPS_NOEXCEPT;
/* ups_precision, for the calls that follow. */
UPS_API ups_status ups_set_precision(ups_context* context, int32_t precision) UPS_NOEXCEPT;
/* The variant that ran last in this context ("avx2", "reference", "cuda" ...), "" before the first
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

/* Fills up to `capacity` entries, returns how many devices there are. Loads the CUDA plug-in if it
 * is at hand. */
UPS_API int32_t ups_devices(ups_device_info* devices, int32_t capacity) UPS_NOEXCEPT;
/* One more place where plug-ins are looked for: unless UPSILON_PLUGIN_PATH names the only one, a
 * plug-in lies beside the library, or else here. For the whole process, on any thread; a plug-in
 * that was looked for before is not looked for again, so call it before the first use of a device.
 * NULL or "" forgets the place. */
UPS_API ups_status ups_set_plugin_directory(const char* directory) UPS_NOEXCEPT;
/* NULL when the plug-in for this device type can be used, else one sentence saying why not. */
UPS_API const char* ups_unavailable_because(int32_t device_type) UPS_NOEXCEPT;

/* ---- memory -------------------------------------------------------------------------------------
 * Blocks are reference counted, 64-byte aligned (256 on devices). Large host blocks ask for huge
 * pages, and their memory waits for the next block of about the same size when they are released:
 * at most 256 MiB in this process. */
typedef struct ups_block ups_block;
UPS_API ups_status ups_block_create(ups_context* context, ups_device where, size_t bytes,
                                    ups_block** block) UPS_NOEXCEPT;
UPS_API ups_status ups_block_map_file(ups_context* context, const char* path,
                                      ups_block** block) UPS_NOEXCEPT; /* private, writable map */
UPS_API ups_block* ups_block_retain(ups_block* block) UPS_NOEXCEPT;
UPS_API void ups_block_release(ups_block* block) UPS_NOEXCEPT; /* on any thread */
UPS_API void* ups_block_data(const ups_block* block) UPS_NOEXCEPT;
UPS_API size_t ups_block_size(const ups_block* block) UPS_NOEXCEPT;
UPS_API ups_device ups_block_device(const ups_block* block) UPS_NOEXCEPT;
/* Blocks alive in this process, their bytes, and Arrow exports not yet released: all 0 when nothing
 * leaks. */
typedef struct ups_counters {
  int64_t blocks, block_bytes, arrow_exports, arrow_imports;
  int64_t recycled_bytes; /* of released blocks, waiting to be used again: nothing that leaks */
} ups_counters;
UPS_API ups_counters ups_count(void) UPS_NOEXCEPT;
/* Gives the memory that waits to be used again back to the system. On any thread. */
UPS_API void ups_trim(void) UPS_NOEXCEPT;
/* Copies between tensors of equal shape and dtype, host or device on either side. */
UPS_API ups_status ups_copy(ups_context* context, const ups_tensor* source, ups_tensor* destination) UPS_NOEXCEPT;

/* Applied to the result of a layer. leakyRelu: slope 0.01; elu: alpha 1; gelu: the exact one;
 * leakyRelu0.2: slope 0.2, the usual one of adversarial networks. */
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

/* How the rows of a set or the places of a window become one. */
typedef enum ups_pool { UPS_POOL_SUM, UPS_POOL_MEAN, UPS_POOL_MAX, UPS_POOL_MIN } ups_pool;

/* ---- operations, by name ------------------------------------------------------------------------
 * The schema line of an operation is its contract:
 *   "x: real[N,K], weight: real[M,K], bias?: real[M] -> y: real[N,M];
 *    activation: none|relu, scale: f32 = 1"
 * `real` is f32 or f64, the same throughout a call. `?` marks an argument that may be NULL (an
 * output that is not wanted too). Rules after the brackets are checked as well:
 *   splits N   non-decreasing, first >= 0, last <= N     below N   0 <= every element < N
 *   forest offsets   mother indices inside their event, -1 for a root, no cycles
 *   finite     (of real) no NaN, no infinity         numbers   (of real) no NaN
 *   sorts keys by offsets    inside every set the indices of its elements in the stable order of
 *                            the keys
 *   pairs H offsets others   H elements for each pair in an event: one member from the rows that
 *                            `offsets` divides into events, one from those of `others`
 * `...` stands for any number of leading dimensions, `M1|M0` for the first of these that this call
 * has, `H*F` for a product, `H^concat` for a factor that counts where the option `concat` is set,
 * and `y&` for an output that is updated in place. `stride: i32 = 1 from 1` is an option with its
 * default and its limits: `from` or `above` a number, `to` or `below` one (`above` and `below`
 * exclude it).
 * ups_operation_schema gives lists written out. The headers have `{l=1..3: weight<l>: real[M<l>,
 * M<l-1>]}` for weight1, weight2 and weight3, `{l=3..0|M<l>}` for M3|M2|M1|M0, `{k=0..2+F<k>}` for
 * F0+F1+F2, and `x<k><k?>` for x0, x1?, x2?.
 * Options are laid out in a C struct behind its size, in the order given: enumerations and bool as
 * int32_t, all others as they are. */
typedef struct ups_operation ups_operation;
/* NULL (ups_operation_count: 0) also where memory is exhausted before the first context of the
 * process was made. */
UPS_API const ups_operation* ups_operation_find(const char* name) UPS_NOEXCEPT;
UPS_API int32_t ups_operation_count(void) UPS_NOEXCEPT;
UPS_API const ups_operation* ups_operation_at(int32_t index) UPS_NOEXCEPT;
UPS_API const char* ups_operation_name(const ups_operation* operation) UPS_NOEXCEPT;
UPS_API const char* ups_operation_schema(const ups_operation* operation) UPS_NOEXCEPT;
/* Space-separated variants that this process could run: "reference baseline avx2 avx512". */
UPS_API const char* ups_operation_variants(const ups_operation* operation) UPS_NOEXCEPT;
/* `tensors` in schema order, inputs then outputs; `options` the operation's struct, or NULL for the
 * defaults. Structs of options begin with `size_t size`:
 *   0                     all defaults; a field that is not zero is refused, as it would be without
 *                         effect
 *   sizeof of the struct  as in this header, or in an older one: fields that it does not have take
 *                         their defaults
 *   more than is known    of a newer header: the rest must be zeros
 * Anything else is refused with UPS_VALUE, naming `options`. */
UPS_API ups_status ups_call(ups_context* context, const ups_operation* operation, const ups_tensor* const* tensors,
                            int32_t count, const void* options) UPS_NOEXCEPT;

/* ---- Arrow C Data Interface ------------------------------------------------------------------ */
struct ArrowArray;
struct ArrowSchema;
/* A view on a primitive, list or fixed-size-list column without nulls. shape/strides are stored in
 * `shape`, which must have room for UPS_MAX_DIMENSIONS numbers and live as long as the tensor. The
 * array must outlive the view. `offsets` (may be NULL when the column is no list) receives the
 * event boundaries of a list column. */
UPS_API ups_status ups_tensor_from_arrow(ups_context* context, const struct ArrowArray* array,
                                         const struct ArrowSchema* schema, ups_tensor* values, int64_t* shape,
                                         ups_tensor* offsets, int64_t* offsets_shape) UPS_NOEXCEPT;
/* Exports a tensor in a block (retained until the consumer releases the array, on whichever thread)
 * as a primitive or fixed-size-list array; with `offsets` (in `offsets_block`) as a list of
 * them. */
UPS_API ups_status ups_tensor_to_arrow(ups_context* context, const ups_tensor* values, ups_block* values_block,
                                       const ups_tensor* offsets, ups_block* offsets_block, struct ArrowArray* array,
                                       struct ArrowSchema* schema) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
