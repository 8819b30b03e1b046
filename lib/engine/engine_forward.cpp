// Forward-only backends: once set() was sent, the backend may hold the new value alone. So nothing
// is given up before the backend was asked which of the known values works, in a state in which no
// set() is planned and after those in flight have landed.
#include "lib/engine/engine_steps.h"

namespace keyturn::engine {

// The first of C, L, V and K that the backend accepts; none and `unclear`: an answer is missing.
Result<std::optional<std::string>> Steps::which_works(std::optional<TestResult>& unclear) {
  std::vector<const SecretString*> asked;
  for (const std::string& id :
       {labels().current, labels().latest, labels().previous, labels().baton}) {
    const auto candidate = value_if_any(id);
    if (!candidate.ok()) return candidate.error();
    if (*candidate == nullptr) continue;
    bool known = false;
    for (const SecretString* earlier : asked)
      known = known || strategy().same_credential(*earlier, **candidate);
    if (known) continue;
    asked.push_back(*candidate);
    const TestResult test = strategy().test(context(id), **candidate);
    if (test.verdict == Verdict::Accepted) return std::optional<std::string>(id);
    if (test.verdict == Verdict::Unknown) unclear = test;
  }
  return std::optional<std::string>();
}

StepResult Steps::rebase() {
  if (auto stop = quiet()) return *stop;
  std::optional<TestResult> unclear;
  const auto works = which_works(unclear);
  if (!works.ok()) return failed(works.error());
  if (!works->has_value()) {
    if (unclear) return waiting(*unclear);
    return failed(
        invalid("NoWorkingCredential", "The backend accepts none of the values that secret " +
                                           view_.secret.name +
                                           " holds; set the password of AWSCURRENT at the backend, "
                                           "or put one that works into the secret."));
  }
  const std::string& id = **works;
  const bool decided = decision_.action == Action::RetestAndMove;
  if (id == labels().current) {
    deps_.memory.remember_works(key(), id, labels().latest);
    if (!decided) return progress(Event::None, "The current credential works.");
    if (auto stop = move(kBaton, labels().current, "")) return *stop;
    return progress(Event::GaveUp,
                    "The backend kept the current credential; the attempt is given up.");
  }
  if (decided && id == decision_.version_id) {
    pass_.mark_tested(id);
    return progress(Event::None, "The new credential works after all.");
  }
  return carry(id, Event::Rebased);
}

}  // namespace keyturn::engine
