#include "lib/engine/engine.h"

#include "lib/engine/engine_steps.h"

namespace keyturn::engine {

std::string_view to_string(Event event) {
  switch (event) {
    case Event::None:
      return "None";
    case Event::Started:
      return "Started";
    case Event::Decided:
      return "Decided";
    case Event::GaveUp:
      return "GaveUp";
    case Event::Finished:
      return "Finished";
    case Event::Abandoned:
      return "Abandoned";
    case Event::Retired:
      return "Retired";
    case Event::Kept:
      return "Kept";
    case Event::Rebased:
      return "Rebased";
    case Event::Interfered:
      return "Interfered";
    case Event::CleanedUp:
      return "CleanedUp";
  }
  return "";
}

Result<View> Engine::look(const std::string& secret_id) const {
  View view;
  view.seen_at = deps_.clock.mono();
  auto described = deps_.secrets.describe(secret_id);
  if (!described.ok()) return std::move(described).error();
  view.secret = std::move(described).value();
  view.labels = read_labels(view.secret.arn, view.secret.stages);

  const Backend backend = deps_.strategy.traits().backend;
  const Labels& l = view.labels;
  const bool rotates = backend != Backend::Delegated && backend != Backend::ReadOnly;
  if (rotates && !view.secret.deleted && !l.pending.empty() && l.pending != l.current &&
      l.pending != l.latest) {
    const auto pending = deps_.secrets.get_value(view.secret.arn, l.pending);
    if (!pending.ok() && pending.error().cls != ErrorClass::NotFound) return pending.error();
    view.foreign_pending = pending.ok();
  }
  return view;
}

Decision Engine::decide(const View& view, const Situation& situation) const {
  const Labels& l = view.labels;
  const std::string key = memory_key(view);
  if (situation.judged) deps_.memory.observe(key, fingerprint(view, situation), deps_.clock.mono());

  Known known;
  const bool baton_and_previous = !l.baton.empty() && !l.previous.empty() && l.baton != l.previous;
  known.baton_is_previous =
      baton_and_previous ? deps_.memory.equal(key, l.baton, l.previous) : false;
  if (!l.baton.empty()) known.baton_is_current = deps_.memory.equal(key, l.baton, l.current);
  known.previous_is_done = deps_.memory.retired(key, l.previous) ||
                           deps_.memory.equal(key, l.previous, l.current).value_or(false);
  known.current_works = deps_.memory.works(key, l.current, l.latest);
  return plan(deps_.strategy.traits(), view, situation, known);
}

StepResult Engine::perform(View& view, const Decision& decision, const Situation& situation,
                           Pass& pass) const {
  return Steps(*this, view, decision, situation, pass).run();
}

Result<const SecretString*> Engine::value(const View& view, const std::string& version_id,
                                          Pass& pass) const {
  if (const SecretString* known = pass.find(version_id)) return known;
  auto read = deps_.secrets.get_value(view.secret.arn, version_id);
  if (!read.ok()) return std::move(read).error();
  if (read->binary) {
    return invalid("BinarySecret", "Version " + version_id + " of secret " + view.secret.name +
                                       " is binary (SecretBinary); Keyturn handles secrets stored "
                                       "as text. Put it as SecretString.");
  }
  pass.keep(version_id, std::move(read->value), read->created);
  return pass.find(version_id);
}

std::string Engine::fingerprint(const View& view, const Situation& situation) {
  std::string text;
  for (const auto& [id, labels] : view.secret.stages) {
    text += id;
    for (const std::string& label : labels) text += ' ' + label;
    text += '\n';
  }
  if (view.secret.last_changed)
    text += std::to_string(view.secret.last_changed->time_since_epoch().count());
  text += situation.targets_synced ? " synced" : " -";
  text += situation.rolled_out ? " rolled out" : " -";
  text += situation.gate_open ? " open" : " -";
  if (situation.moved) text += " moved";
  return text;
}

std::string Engine::memory_key(const View& view) const {
  return view.secret.arn + ' ' + deps_.strategy.traits().name;
}

}  // namespace keyturn::engine
