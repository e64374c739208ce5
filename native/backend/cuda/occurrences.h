// Where each token occurs, cut into pieces of bounded length: how the gradient of an embedding is shared among warps so that
// each sum has an order of its own, whatever the tokens are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace muonscope::cuda {

// Rows begin … begin + count − 1 of a list are to be added up. Where `partial` is negative they are all of a token's and
// are added to its row of the table; otherwise the sum is partial sum number `partial`.
struct alignas(16) Piece {  // one access of a thread
  int32_t token, begin, count, partial;
};

struct Occurrences {
  std::vector<int32_t> positions;  // by token, then ascending
  std::vector<Piece> pieces;       // of `positions`
  std::vector<Piece> merges;       // of the partial sums, for tokens that have several
  int32_t partials = 0;
};

// Each token once, each position in exactly one piece, at most `most` in a piece.
inline Occurrences findOccurrences(const int32_t* tokens, int64_t n, int64_t vocabulary, int32_t most) {
  Occurrences o;
  std::vector<int32_t> ends(static_cast<size_t>(vocabulary) + 1);
  for (int64_t i = 0; i < n; i++) ends[static_cast<size_t>(tokens[i]) + 1]++;
  for (size_t v = 1; v < ends.size(); v++) ends[v] += ends[v - 1];
  // Now ends[v] is where token v begins; filling makes it where it ends, where the next one begins.
  o.positions.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i++) {
    int32_t& next = ends[static_cast<size_t>(tokens[i])];
    o.positions[static_cast<size_t>(next++)] = static_cast<int32_t>(i);
  }
  for (int32_t v = 0, begin = 0; v < vocabulary; v++) {
    const int32_t end = ends[static_cast<size_t>(v)], firstPartial = o.partials;
    const bool whole = end - begin <= most;
    for (; begin < end; begin += most) o.pieces.push_back({v, begin, std::min(most, end - begin), whole ? -1 : o.partials++});
    if (!whole) o.merges.push_back({v, firstPartial, o.partials - firstPartial, -1});
    begin = end;
  }
  return o;
}

}  // namespace muonscope::cuda
