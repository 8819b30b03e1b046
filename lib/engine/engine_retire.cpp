// Whatever revokes: what a given-up attempt minted (row 6), the old credential (row 10), leftovers
// (row 12); and what gives back.
#include "lib/engine/engine_steps.h"

namespace keyturn::engine {

// Asked directly before a revocation: the labels are still those that the decision was made on, and
// the gate is still open. What an attempt minted was never current, so that revoking it waits for
// no reader. Who looks at many pods takes his time: then the labels are looked at last. `ctx`,
// where given, may send until its deadline, which goes by the newest look.
std::function<bool()> Steps::confirmation(Readers readers, StepContext* ctx) {
  return [this, readers, ctx, before = Engine::fingerprint(view_, situation_)] {
    const auto unchanged = [&] {
      return look_again() && Engine::fingerprint(view_, situation_) == before;
    };
    if (!unchanged()) return false;
    if (readers == Readers::Possible && situation_.gate_still_open) {
      if (!situation_.gate_still_open()) return false;
      const bool slow = deps_.clock.mono() - view_.seen_at >= kLookAgain;
      if (slow && !unchanged()) return false;
    }
    if (ctx != nullptr) ctx->deadline = view_.seen_at + deps_.timing.view_age();
    return true;
  };
}

StepResult Steps::abandon() {
  const std::string& version = decision_.version_id;
  if (auto stop = quiet()) return *stop;
  const auto pending = value_if_any(version);
  if (!pending.ok()) return failed(pending.error());
  if (*pending != nullptr) {
    // A person may have tried it as current, and saved its credential in a version of their own.
    for (const std::string& id : {labels().current, labels().previous}) {
      const auto other = value_if_any(id);
      if (!other.ok()) return failed(other.error());
      if (*other == nullptr || !strategy().same_credential(**pending, **other)) continue;
      std::string note = "Version " + id + " holds the credential of version " + version +
                         ", too: nothing is revoked.";
      if (auto stop = give_back(version, note)) return *stop;
      if (auto stop = move(kPending, version, "")) return *stop;
      return progress(Event::Abandoned, std::move(note));
    }
    if (auto stop = too_old()) return *stop;
    StepContext ctx = context(version);
    const Status revoked = give_up_at_backend(ctx, **pending);
    if (!revoked.ok() && revoked.error().code == kNoMark) {
      if (auto stop = move(kPending, version, "")) return *stop;
      StepResult left = progress(Event::Abandoned, revoked.error().message);
      left.error = revoked.error();
      return left;
    }
    if (!revoked.ok()) return failed(revoked.error());
  }
  if (auto stop = move(kPending, version, "")) return *stop;
  return progress(Event::Abandoned, "What was minted for version " + version + " is revoked.");
}

// What an attempt minted was never current, so that revoking it waits for no reader; where it means
// to write the current credential alone, it does.
Status Steps::give_up_at_backend(StepContext& ctx, const SecretString& pending) {
  if (!strategy().traits().set_replaces)
    return strategy().abandon(ctx, pending, confirmation(Readers::None, &ctx));
  const auto current = value(labels().current);
  if (!current.ok()) return current.error();
  return strategy().retire(ctx, pending, **current, confirmation(Readers::Possible, &ctx));
}

StepResult Steps::retire() {
  const std::string& version = decision_.version_id;
  if (auto stop = quiet()) return *stop;
  const auto current = value(labels().current);
  if (!current.ok()) return failed(current.error());
  const auto retired = value_if_any(version);
  if (!retired.ok()) return failed(retired.error());
  if (*retired == nullptr) {
    if (auto stop = move(kBaton, version, "")) return *stop;
    return progress(Event::Interfered,
                    "Version " + version + " has no value that could be revoked; it is released.");
  }
  if (too_old() && !look_again()) return after(kLookAgain, "The labels are looked at again.");
  StepContext ctx = context(version);
  deps_.memory.remember_untouched(key(), "");
  const Status revoked =
      strategy().retire(ctx, **retired, **current, confirmation(Readers::Possible, &ctx));
  if (!revoked.ok()) return failed(revoked.error());
  deps_.memory.remember_retired(key(), version);
  if (auto stop = move(kBaton, version, "")) return *stop;
  return progress(Event::Retired, "The credential of version " + version + " is revoked.");
}

// A version that is in use again may hold a credential that a revocation, interrupted by a crash,
// had disabled. Given back at once, and once more after quiet: by then what somebody planned on an
// older view has landed.
Steps::Stop Steps::give_back(const std::string& version_id, std::string& note) {
  if (!strategy().traits().soft_revoke) return std::nullopt;
  if (auto stop = restore(version_id, note)) return stop;
  return quiet();
}

// The gate may have closed on a retirement that had begun, and did not give back what it had
// disabled: readers hold that. Given back at once, until it succeeds, and once more when what was
// on its way has landed.
StepResult Steps::wait_gate() {
  const std::string& version = decision_.version_id;
  const MonoTime now = deps_.clock.mono();
  if (version != labels().baton || !strategy().traits().soft_revoke ||
      !deps_.memory.may_be_disabled(key(), version, now))
    return driver(decision_.message);
  std::string note = decision_.message;
  if (auto stop = restore(version, note)) return *stop;
  deps_.memory.remember_given_back(key(), version, now + deps_.timing.quiet());
  return driver(std::move(note));
}

// What only a person can mend is told and holds nothing up.
Steps::Stop Steps::restore(const std::string& version_id, std::string& note) {
  const auto in_use = value_if_any(version_id);
  if (!in_use.ok()) return failed(in_use.error());
  if (*in_use == nullptr) return std::nullopt;
  const SecretString* other =
      nullptr;  // of another credential: what is disabled cannot help itself
  for (const std::string& id : {labels().current, labels().latest, labels().previous}) {
    if (other != nullptr || id == version_id) continue;
    const auto candidate = value_if_any(id);
    if (!candidate.ok()) return failed(candidate.error());
    if (*candidate != nullptr && !strategy().same_credential(**candidate, **in_use))
      other = *candidate;
  }
  const Status restored = strategy().restore(context(version_id), **in_use, other);
  if (!restored.ok()) {
    if (restored.error().cls != ErrorClass::Invalid) return failed(restored.error());
    inactive_ =
        make_error(ErrorClass::Invalid, std::string(kCredentialInactive),
                   "The credential of version " + version_id +
                       ", which may be in use, may be inactive: " + restored.error().message);
    note += " " + inactive_->message;
  }
  return std::nullopt;
}

StepResult Steps::clean_up() {
  const auto current = value(labels().current);
  if (!current.ok()) return failed(current.error());
  std::string note;
  if (backend() == Backend::TwoCredentials) {
    if (auto stop = revoke_leftovers(**current, note)) return *stop;
  }
  return progress(Event::CleanedUp, std::move(note));
}

// Ours by their mark, old enough that nobody is still busy with them, and not the current
// credential.
Result<std::vector<Leftover>> Steps::old_leftovers(const SecretString& current) {
  auto listed = strategy().leftovers(context(labels().current), current);
  if (!listed.ok()) return listed;
  std::vector<Leftover> found;
  const WallTime old = deps_.clock.now() - deps_.timing.leftover_age;
  for (Leftover& leftover : *listed) {
    if (leftover.created && *leftover.created <= old && !strategy().is_leftover(leftover, current))
      found.push_back(std::move(leftover));
  }
  return found;
}

// V is what C was made from, so its credential was to be revoked; without a baton the record of
// that is gone: it was done, perhaps by a process that is no more, or it was lost. Doing it twice
// costs a wait; testing whether it is needed would believe a wrong answer.
bool Steps::retirement_may_be_lost() const {
  const Labels& l = labels();
  return strategy().traits().can_revoke && made_from(view_.secret.arn, l.current, l.previous) &&
         !deps_.memory.retired(key(), l.previous);
}

namespace {

// Takes out those that are only told of, and says why. `which`: former, whose readers may still use
// them, or doubtful.
std::string take_told(std::vector<Leftover>& leftovers, bool Leftover::*which, const char* why) {
  std::string ids;
  for (const Leftover& leftover : leftovers) {
    if (leftover.*which) ids += (ids.empty() ? "" : ", ") + leftover.backend_id;
  }
  std::erase_if(leftovers, [which](const Leftover& leftover) { return leftover.*which; });
  if (ids.empty()) return ids;
  return "Left as they are, for " + std::string(why) +
         " (revoke them by hand when nobody uses them): " + ids;
}

std::string take_told(std::vector<Leftover>& leftovers) {
  const std::string former =
      take_told(leftovers, &Leftover::former, "they were made for a former secret of this name");
  const std::string doubtful = take_told(
      leftovers, &Leftover::doubtful,
      "the backend keeps no marks, so whether they were left over by a rotation is not known");
  return former + (former.empty() || doubtful.empty() ? "" : ". ") + doubtful;
}

}  // namespace

Steps::Stop Steps::revoke_leftovers(const SecretString& current, std::string& note) {
  if (!situation_.gate_open || !labels().baton.empty()) return std::nullopt;
  auto leftovers = old_leftovers(current);
  if (!leftovers.ok()) return failed(leftovers.error());
  const bool may_be_lost = retirement_may_be_lost();
  if (leftovers->empty() && !may_be_lost) return std::nullopt;  // V is asked for only if it matters

  const auto previous = value_if_any(labels().previous);
  if (!previous.ok()) return failed(previous.error());
  if (*previous != nullptr) {
    std::erase_if(*leftovers,
                  [&](const Leftover& l) { return strategy().is_leftover(l, **previous); });
  }
  const std::string told = take_told(*leftovers);
  const bool lost =
      may_be_lost && *previous != nullptr && !strategy().same_credential(**previous, current);
  if (leftovers->empty() && !lost) {
    note = told;
    return std::nullopt;
  }

  if (auto stop = quiet()) return stop;
  StepContext ctx = context(labels().previous);
  const auto confirm = confirmation(Readers::Possible, &ctx);
  for (const Leftover& leftover : *leftovers) {
    if (!confirm())
      return after(kLookAgain, "Something changed before a leftover credential was revoked.");
    const Status revoked =
        strategy().revoke_leftover(context(leftover.version_id), leftover, current);
    if (!revoked.ok()) return failed(revoked.error());
    note += (note.empty() ? "Revoked leftover credentials: " : ", ") + leftover.backend_id;
  }
  if (lost) {
    const Status revoked = strategy().retire(ctx, **previous, current, confirm);
    if (!revoked.ok()) return failed(revoked.error());
    deps_.memory.remember_retired(key(), labels().previous);
    note += (note.empty() ? "Revoked leftover credentials: " : ", ") +
            ("that of version " + labels().previous);
  }
  if (!told.empty()) note += (note.empty() ? "" : ". ") + told;
  return std::nullopt;
}

}  // namespace keyturn::engine
