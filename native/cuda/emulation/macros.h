// The words of kernel sources where a plain C++ compiler reads them.
#pragma once

#define UPS_EMULATION 1

#define UPS_HD
#define UPS_ON_DEVICE inline
#define UPS_KERNEL inline void
#define UPS_KERNEL_LB(...) inline void
#define UPS_UNROLL
#define UPS_NO_UNROLL

// A reference into the block's own arena.  It may not be a static or thread_local array:
// AddressSanitizer does not see overruns of those where they live in templates or inline functions.
// The address of `key` names the object.
#define UPS_SHARED(T, name, ...)               \
  static const char ups_shared_key_##name = 0; \
  auto& name = *static_cast<T(*) __VA_ARGS__>( \
      ::ups::emu::shared_object(&ups_shared_key_##name, sizeof(T __VA_ARGS__), alignof(T), #name))
#define UPS_SHARED_DYN(T, name) T* const name = static_cast<T*>(::ups::emu::shared_dynamic())

// Where a warp or block operation is called: part of its identity (two calls in two branches are
// not one barrier) and of every error text.
#define UPS_SITE ::ups::emu::Site site = ::ups::emu::Site::current()
#define UPS_AND_SITE , ::ups::emu::Site site = ::ups::emu::Site::current()
#define UPS_PASS_SITE , site
