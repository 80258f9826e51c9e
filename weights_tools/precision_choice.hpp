#pragma once
// Which weights stay in fp32: those that cost most accuracy a byte. Numbers only, no models.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace kinglet::tools {

/// What int8 does to one matrix: the error of the outputs when it alone is int8, and what it saves.
struct Int8Cost {
  double error = 0;
  std::uint64_t saved_bytes = 0;
};

/// Numbers of `costs`, most error² a saved byte first; equal ones in their order. Errors of different
/// matrices are nearly independent, so their squares add up.
std::vector<std::size_t> by_error_per_byte(const std::vector<Int8Cost>& costs);

/// Those of `order` that can all stay in fp32 within `room` bytes, each taken if it still fits.
std::vector<std::size_t> that_fit(const std::vector<std::size_t>& order,
                                  const std::vector<Int8Cost>& costs, std::uint64_t room);

/// Those whose share of the summed error² is many times their share of the bytes, as long as they fit into a
/// small part of `f32_bytes`; one that makes most of the error may take a larger part.
std::vector<std::size_t> costly(const std::vector<std::size_t>& order,
                                const std::vector<Int8Cost>& costs, std::uint64_t f32_bytes);

/// The smallest count in [0, most] whose error_of is at most `bound`, by bisection: errors fall with the
/// count but for noise. `most` + 1 when even error_of(most) is above it.
std::size_t smallest_within(std::size_t most, double bound,
                            const std::function<double(std::size_t)>& error_of);

}  // namespace kinglet::tools
