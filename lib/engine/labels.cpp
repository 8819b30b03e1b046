#include "lib/engine/labels.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "lib/base/digest.h"
#include "lib/base/uuid.h"

namespace keyturn::engine {

namespace {

constexpr std::size_t kBaseBytes = 6;        // 48 bits say what a version was made from
constexpr std::size_t kBaseCharacters = 13;  // the same in a UUID's text: "xxxxxxxx-xxxx"

// Neither ARNs nor version ids hold a line feed, so the parts cannot run into each other.
std::string material(const std::string& arn, const std::string& current) {
  return arn + '\n' + current;
}

}  // namespace

std::string holder(const aws::StagesByVersion& stages, std::string_view label) {
  for (const auto& [id, labels] : stages) {
    if (labels.contains(std::string(label))) return id;
  }
  return {};
}

void move_label(aws::StagesByVersion& stages, std::string_view label, const std::string& to) {
  const std::string from = holder(stages, label);
  if (from == to) return;
  if (!from.empty()) {
    const auto held = stages.find(from);
    held->second.erase(std::string(label));
    if (held->second.empty())
      stages.erase(held);  // DescribeSecret does not show versions without labels
  }
  if (!to.empty()) stages[to].insert(std::string(label));
  if (label == kCurrent && !from.empty()) move_label(stages, kPrevious, from);
}

Labels read_labels(const std::string& arn, const aws::StagesByVersion& stages) {
  Labels l{holder(stages, kCurrent), holder(stages, kPrevious), holder(stages, kPending),
           holder(stages, kLatest), holder(stages, kBaton)};
  if (l.pending.empty() || l.pending == l.current) return l;
  const bool from_current = made_from(arn, l.pending, l.current);
  const bool ours = from_current || made_from(arn, l.pending, l.previous);
  if ((from_current && l.baton == l.pending) || (ours && l.latest.empty())) l.latest = l.pending;
  return l;
}

std::string successor_id(const std::string& arn, const std::string& current,
                         const std::string& latest) {
  const Sha256 base = sha256(material(arn, current));
  const Sha256 chain = sha256(material(arn, current) + '\n' + (latest.empty() ? "-" : latest));
  std::array<std::byte, 16> bytes;
  std::copy_n(base.begin(), kBaseBytes, bytes.begin());
  std::copy_n(chain.begin(), bytes.size() - kBaseBytes, bytes.begin() + kBaseBytes);
  return uuid_v8(bytes);
}

bool made_from(const std::string& arn, const std::string& id, const std::string& base) {
  if (base.empty() || !is_uuid(id)) return false;
  const std::string same_base = successor_id(arn, base, "");
  return id.compare(0, kBaseCharacters, same_base, 0, kBaseCharacters) == 0;
}

}  // namespace keyturn::engine
