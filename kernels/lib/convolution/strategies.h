// The strategies: ways to compute one grid of a convolution from the other. Each is the file
// strategies/<name>.cpu.cc.
#pragma once
#include <cstdint>
#include <iterator>

// In the order in which they are asked: the first that fits a geometry and is preferred there
// computes it.
#define UPS_CONVOLUTION_STRATEGIES(each) each(pairs) each(rows) each(in_place) each(shifts) each(blocks)

namespace upsilon {

#define UPS_NAME(name) #name,
inline constexpr const char* convolution_strategies[] = {UPS_CONVOLUTION_STRATEGIES(UPS_NAME) nullptr};
#undef UPS_NAME
inline constexpr int32_t convolution_strategy_count = static_cast<int32_t>(std::size(convolution_strategies)) - 1;

}  // namespace upsilon
