// Faults that a device found while it computed.
#pragma once
#include "upsilon/upsilon.h"

namespace upsilon {

ups_status synchronize(ups_context& context);  // ups_synchronize, inside a call

}  // namespace upsilon
