#include "fault.h"

#include "context.h"
#include "data_rules.h"
#include "registry.h"
#include "text.h"

namespace upsilon {

ups_status synchronize(ups_context& context) {
  const Plugin* plugin = context.plugin;
  if (!plugin) return UPS_OK;
  const int32_t id = context.device.id;
  int32_t fault = 0;
  if (plugin->copy(id, context.stream, &fault, context.fault, sizeof fault, CopyKind::device_to_host) != UPS_OK ||
      plugin->synchronize(id, context.stream) != UPS_OK)
    return context.error.set(UPS_DEVICE, "", "", plugin->last_message());
  if (fault == 0) return UPS_OK;
  (void)plugin->fill(id, context.stream, context.fault, 0, sizeof fault);
  // The code was composed by the gate: operation index and parameter index.
  const auto& all = operations();
  const size_t index = static_cast<size_t>(fault >> 8);
  const ups_operation* operation = index < all.size() ? &all[index] : nullptr;
  const size_t parameter = static_cast<size_t>((fault & 0xff) - 1);
  if (!operation || parameter >= operation->schema.parameters.size())
    return context.error.set(UPS_INTERNAL, "", "", format("unknown device fault %d", fault));
  const Parameter& p = operation->schema.parameters[parameter];
  return context.error.set(
      row_of(p.rule).status, operation->name, p.name,
      named(p.name) + " " + row_of(p.rule).broken + " (found on " + device_text(context.device) + ")");
}

}  // namespace upsilon
