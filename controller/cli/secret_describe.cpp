#include "controller/cli/secret_describe.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controller/cli/output.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/engine/document.h"

namespace keyturn::cli {
namespace {

std::string row(const std::string& name, const std::string& text) {
  return "  " + name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + text + "\n";
}

std::vector<aws::VersionInfo> newest_first(std::vector<aws::VersionInfo> versions) {
  std::stable_sort(versions.begin(), versions.end(),
                   [](const auto& a, const auto& b) { return a.created > b.created; });
  return versions;
}

std::string labels_text(const aws::StagesByVersion& stages, const std::string& version_id) {
  const auto found = stages.find(version_id);
  if (found == stages.end()) return "-";
  return join({found->second.begin(), found->second.end()}, ",");
}

// The version it was made from, where that can be told: the id says so.
std::string made_from_which(const SecretStory& story, const std::string& version_id) {
  for (const auto& other : story.versions) {
    if (engine::made_from(story.view.secret.arn, version_id, other.id)) return other.id;
  }
  return {};
}

std::string state_text(const aws::SecretMetadata& secret) {
  if (secret.deleted) return "awaits deletion on " + format_rfc3339(*secret.deleted);
  if (!secret.owning_service.empty()) return "owned by the AWS service " + secret.owning_service;
  if (secret.rotation_enabled) return "RotationEnabled=true: AWS rotates it";
  return {};
}

std::string next_text(const SecretStory& story) {
  if (!story.next)
    return row("next",
               "not told without --strategy NAME or -f POLICY: what comes next depends on it");
  const engine::Decision& next = *story.next;
  std::string what(to_string(next.action));
  if (!next.reason.empty()) what += " (" + next.reason + ")";
  std::string text = row("next", what);
  text += row("why", next.message);
  if (next.action == engine::Action::Nothing && story.view.labels.baton.empty())
    text += row("", "a rotation would make version " + engine::next_version(story.view));
  return text;
}

}  // namespace

std::string role_of(const engine::View& view, const std::string& id) {
  const engine::Labels& l = view.labels;
  if (id == l.current) return "the current credential";
  if (id == l.latest && id == l.baton)
    return id == l.pending ? "an attempt, undecided" : "an attempt that lost its place";
  if (id == l.latest && !l.baton.empty() && l.baton == l.current)
    return "an attempt, decided to become current";
  if (id == l.baton) return "the old credential, to be revoked";
  if (id == l.pending && id == l.latest) return "an attempt";
  if (id == l.pending)
    return view.foreign_pending ? "somebody else's attempt" : "a placeholder without a value";
  if (id == l.previous) return "the credential before";
  return "";
}

std::string describe_secret(const SecretStory& story, WallTime now) {
  const aws::SecretMetadata& secret = story.view.secret;
  std::string text = "Secret " + secret.name + "\n" + row("arn", secret.arn);
  if (const std::string state = state_text(secret); !state.empty()) text += row("state", state);
  if (!story.strategy.empty()) text += row("strategy", story.strategy);
  text += next_text(story) + "\n";
  Table table({"VERSION", "AGE", "LABELS", "MADE FROM", "WHAT IT IS"});
  for (const auto& version : newest_first(story.versions)) {
    const std::string base = made_from_which(story, version.id);
    table.add({version.id, version.created ? format_age(now - *version.created) : "-",
               labels_text(secret.stages, version.id), base.empty() ? "-" : base.substr(0, 8),
               role_of(story.view, version.id)});
  }
  return text + table.text();
}

nlohmann::json secret_json(const SecretStory& story) {
  const aws::SecretMetadata& secret = story.view.secret;
  nlohmann::json versions = nlohmann::json::array();
  for (const auto& version : newest_first(story.versions)) {
    const auto labels = secret.stages.find(version.id);
    versions.push_back(
        {{"versionId", version.id},
         {"labels", labels == secret.stages.end() ? std::set<std::string>() : labels->second},
         {"madeFrom", made_from_which(story, version.id)},
         {"role", role_of(story.view, version.id)}});
    if (version.created) versions.back()["created"] = format_rfc3339(*version.created);
  }
  nlohmann::json out = {{"name", secret.name},
                        {"secretArn", secret.arn},
                        {"rotationEnabled", secret.rotation_enabled},
                        {"versions", versions}};
  if (secret.deleted) out["deletionDate"] = format_rfc3339(*secret.deleted);
  if (story.next) {
    out["strategy"] = story.strategy;
    out["next"] = {{"action", std::string(to_string(story.next->action))},
                   {"step", std::string(to_string(story.next->step))},
                   {"reason", story.next->reason},
                   {"message", story.next->message},
                   {"versionId", story.next->version_id}};
  }
  return out;
}

std::string shape_of(const aws::SecretValue& value) {
  if (value.binary) return "binary (SecretBinary); Keyturn handles text only";
  std::string text = std::to_string(value.value.size()) + " bytes, ";
  const auto document = engine::Document::parse(value.value);
  if (!document.is_object()) return text + "a bare string";
  return text + "a JSON object with " + join(document.keys(), ", ");
}

}  // namespace keyturn::cli
