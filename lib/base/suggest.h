// "Did you mean …?": the known word nearest to a misspelt one. Thread rule: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace keyturn {

// The candidate with the smallest edit distance (insert, delete, replace, swap of neighbours;
// letter case ignored), or "" when none is near: more than a third of the longer word would have to
// change. Ties go to the earlier candidate.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// "; did you mean x?" or "", to be put behind a message.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace keyturn
