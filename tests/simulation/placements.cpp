#include "tests/simulation/placements.h"

#include <algorithm>
#include <charconv>

namespace keyturn::simulation {

const char* to_string(Fault fault) {
  static const char* const kNames[kFaults] = {"any",   "crash",    "lost",    "late",
                                              "twice", "throttle", "refused", "wrong",
                                              "stale", "other",    "person",  "deleted"};
  return kNames[static_cast<std::size_t>(fault)];
}

const std::vector<Adversity>& adversities() {
  using Kind = Adversity::Kind;
  static const auto of = [](std::string_view name, Fault fault) {
    return Adversity{name, Kind::Fault, fault};
  };
  static const auto person = [](std::string_view name, Act act) {
    return Adversity{name, Kind::Act, Fault::Person, act};
  };
  static const std::vector<Adversity> all{
      of("crash", Fault::Crash),
      {"crash-after", Kind::CrashAfter, Fault::Crash},
      of("lost", Fault::LostReply),
      of("late", Fault::Late),
      of("twice", Fault::Duplicate),
      of("throttle", Fault::Throttle),
      of("refused", Fault::Refused),
      of("wrong", Fault::WrongRejection),
      of("stale", Fault::StaleRead),
      {"other", Kind::Other, Fault::OtherLeader},
      {"looks", Kind::Looks, Fault::OtherLeader},
      {"behind", Kind::Behind, Fault::OtherLeader},
      person("edits-field", Act::EditsField),
      person("saves-own", Act::SavesOwn),
      person("current-back", Act::CurrentBack),
      person("current-to-pending", Act::CurrentToPending),
      person("drops-pending", Act::DropsPending),
      person("drops-baton", Act::DropsBaton),
      person("drops-latest", Act::DropsLatest),
      person("rolls-back", Act::RollsBack),
      person("puts-pending", Act::PutsPending),
      person("asks-rotation", Act::AsksRotation),
      person("deletes-policy", Act::DeletesPolicy),
      person("edits-restart", Act::EditsRestart),
      person("edits-reloads", Act::EditsReloads),
      person("edits-grace", Act::EditsGrace),
      person("edits-on-failure", Act::EditsOnFailure),
      person("edits-after", Act::EditsAfter),
      person("follower-goes", Act::FollowerGoes),
      person("follower-comes", Act::FollowerComes),
      person("namespace-goes", Act::NamespaceGoes),
      person("starts-pod", Act::StartsPod),
      person("refuses-writes", Act::RefusesWrites),
      person("pauses", Act::Pauses),
      person("restarts", Act::Restarts),
      person("node-restarts", Act::NodeRestarts),
  };
  return all;
}

const Adversity* find_adversity(std::string_view name) {
  for (const Adversity& one : adversities()) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

std::string to_string(const Placement& placement) {
  return std::to_string(placement.at) + ":" + std::string(placement.what->name);
}

std::optional<Placement> parse_placement(std::string_view text) {
  Placement placement;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const char* const end = text.data() + colon;
  const auto read = std::from_chars(text.data(), end, placement.at);
  placement.what = find_adversity(text.substr(colon + 1));
  if (read.ec != std::errc() || read.ptr != end || placement.at < 1 || placement.what == nullptr)
    return std::nullopt;
  return placement;
}

std::vector<std::size_t> Placements::at(int number, Adversity::Kind kind) const {
  std::vector<std::size_t> found;
  for (std::size_t n = 0; n < list_.size(); ++n) {
    if (!used_[n] && list_[n].at == number && list_[n].what->kind == kind) found.push_back(n);
  }
  return found;
}

bool Placements::strikes(int number, Adversity::Kind kind, Fault fault) {
  for (const std::size_t n : at(number, kind)) {
    if (kind == Adversity::Kind::Fault && list_[n].what->fault != fault) continue;
    use(n);
    return true;
  }
  return false;
}

void Placements::changes(int number) {
  changing_.push_back(number);
  changed();
}

bool Placements::all_used() const {
  return std::all_of(used_.begin(), used_.end(), [](bool used) { return used; });
}

bool Placements::missed(int number, int under_way) const {
  for (std::size_t n = 0; n < list_.size(); ++n) {
    if (!used_[n] && list_[n].at < number && list_[n].at != under_way) return true;
  }
  return false;
}

}  // namespace keyturn::simulation
