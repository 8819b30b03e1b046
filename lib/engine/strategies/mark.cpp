#include "lib/engine/strategies/mark.h"

#include <vector>

#include "lib/base/text.h"

namespace keyturn::engine {
namespace {

constexpr std::string_view kReplaces = "replaces";
constexpr std::string_view kRetiring = "retiring";

std::optional<Mark> read_mark(std::string_view inside) {
  const std::vector<std::string> words = split(inside, ' ');
  const std::size_t hash = words[0].find('#');
  if (!words[0].starts_with("arn:") || hash == std::string::npos) return std::nullopt;
  Mark mark{words[0].substr(0, hash), words[0].substr(hash + 1)};
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == kRetiring) {
      mark.retiring = true;
    } else if (words[i] == kReplaces && i + 1 < words.size()) {
      mark.replaces = words[++i];
    } else {
      return std::nullopt;
    }
  }
  return mark;
}

std::string_view without_ending(std::string_view arn) {
  return arn.size() > 7 && arn[arn.size() - 7] == '-' ? arn.substr(0, arn.size() - 7) : arn;
}

}  // namespace

Description Description::read(std::string_view description) {
  const std::size_t begin = description.rfind(kMarkBegins);
  if (begin != std::string_view::npos && description.ends_with(']')) {
    const std::size_t inside = begin + kMarkBegins.size();
    auto mark = read_mark(description.substr(inside, description.size() - 1 - inside));
    std::string_view text = description.substr(0, begin);
    if (text.ends_with(' ')) text.remove_suffix(1);
    if (mark) return {std::string(text), std::move(mark)};
  }
  return {std::string(description), std::nullopt};
}

std::string Description::write() const {
  if (!mark) return text;
  std::string out = text;
  if (!out.empty()) out += ' ';
  out.append(kMarkBegins).append(mark->arn).append("#").append(mark->version_id);
  if (!mark->replaces.empty()) out.append(" ").append(kReplaces).append(" ").append(mark->replaces);
  if (mark->retiring) out.append(" ").append(kRetiring);
  return out + "]";
}

bool same_secret_name(std::string_view arn, std::string_view other) {
  return arn == other || without_ending(arn) == without_ending(other);
}

}  // namespace keyturn::engine
