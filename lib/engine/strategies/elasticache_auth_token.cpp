#include "lib/engine/strategies/elasticache_auth_token.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/text.h"
#include "lib/engine/document.h"
#include "lib/engine/strategies/elasticache_group.h"
#include "lib/engine/strategies/generic.h"
#include "lib/engine/strategies/options.h"
#include "lib/engine/strategies/password.h"
#include "lib/engine/strategies/redis_login.h"

namespace keyturn::engine {

using namespace elasticache;  // NOLINT(google-build-using-namespace): the strategy is made of it
using Update = aws::Elasticache::TokenUpdate;

namespace {

constexpr const char* kName = "elasticacheAuthToken";
constexpr std::size_t kMaxPointer = 512;
constexpr std::size_t kShortest = 16, kLongest = 128, kLength = 64;

// What every document of ElastiCache allows; ModifyReplicationGroup may take more, and a token that
// a person chose may hold it.
const PasswordRecipe& recipe() {
  static const PasswordRecipe kRecipe(
      kLength,
      {"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!&#$^<>-"});
  return kRecipe;
}

bool may_be_token(std::string_view text) {
  return text.size() >= kShortest && text.size() <= kLongest &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string named(const std::string& group) { return "replication group " + group; }

bool resting(const aws::ReplicationGroup& group) {
  return group.status == "available" && group.auth_token_status.empty();
}

}  // namespace

Result<std::unique_ptr<Strategy>> ElasticacheAuthTokenStrategy::make(const nlohmann::json& json,
                                                                     const std::string& path,
                                                                     const StrategyDeps& deps) {
  Options options(json, path);
  std::string group = group_option(options);
  if (group.empty())
    options.fail("replicationGroupId", "is needed: the group whose token the secret holds");
  std::optional<Pointer> pointer;
  const std::string text = options.text("pointer", kMaxPointer).value_or("");
  if (!text.empty()) {
    auto parsed = Pointer::parse(text);
    if (parsed) {
      pointer = std::move(parsed).value();
    } else {
      options.fail("pointer", parsed.error().message);
    }
  }
  if (auto done = options.finish(); !done) return std::move(done).error();
  return std::unique_ptr<Strategy>(
      new ElasticacheAuthTokenStrategy(std::move(group), std::move(pointer), deps));
}

const Traits& ElasticacheAuthTokenStrategy::traits() const {
  static const Traits kTraits{kName, Backend::RotatedToken, /*can_rollback=*/false,
                              /*can_revoke=*/true, /*soft_revoke=*/false};
  return kTraits;
}

Result<SecretString> ElasticacheAuthTokenStrategy::read(const SecretString& value) const {
  if (value.empty()) {
    return invalid("NoValueYet",
                   "the secret has no value yet; put the token that the group has now");
  }
  const Document document = Document::parse(value);
  SecretString token;
  if (pointer_) {
    auto found = document.get(*pointer_);
    if (!found) {
      Error error = std::move(found).error();
      error.cls = ErrorClass::Invalid;  // a missing field too: a person must act
      return std::move(error).with_context(std::string("spec.strategy.") + kName + ".pointer");
    }
    token = *std::move(found);
  } else if (document.is_object()) {
    return invalid("ObjectNeedsPointer",
                   std::string("the secret's value is a JSON object; say where in it the token is "
                               "with spec.strategy.") +
                       kName + ".pointer, as in pointer: /token");
  } else {
    token = value.clone();
  }
  if (may_be_token(token.reveal())) return token;
  return invalid("BadToken",
                 "what the secret holds is no AUTH token, which has 16 to 128 printable "
                 "characters and no space: put the token that the group has now");
}

Result<SecretString> ElasticacheAuthTokenStrategy::write(const SecretString& value,
                                                         SecretString token) const {
  if (!pointer_) return token;
  auto next = Document::parse(value).with_string(*pointer_, token);
  if (!next) return std::move(next).error();
  return within_limit(std::move(*next).take_text());
}

Status ElasticacheAuthTokenStrategy::recognise(const SecretString& current) const {
  auto token = read(current);
  if (!token) return std::move(token).error();
  return {};
}

Result<SecretString> ElasticacheAuthTokenStrategy::create(const StepContext& ctx,
                                                          const SecretString& current) const {
  if (auto known = recognise(current); !known) return std::move(known).error();
  auto token = recipe().draw(*ctx.rng);
  if (!token) return token;
  return write(current, *std::move(token));
}

Result<aws::ReplicationGroup> ElasticacheAuthTokenStrategy::group() const {
  if (!deps_.complete() || deps_.elasticache == nullptr) return no_backend_access();
  auto group = encrypted_group(deps_, group_);
  if (!group) return group;
  if (auto may = deps_.guard->resource(group->arn); !may) return denied(std::move(may).error());
  if (!group->user_groups.empty()) {
    return invalid("HasUserGroups", named(group_) +
                                        " authenticates by users (it has a user group), not by a "
                                        "token: use strategy elasticacheUser");
  }
  if (!group->auth_token) {
    return invalid("NoAuthToken",
                   named(group_) +
                       " has no AUTH token, and adding one would leave it open without: set one "
                       "by hand first (aws elasticache modify-replication-group --auth-token … "
                       "--auth-token-update-strategy SET), and put it into the secret");
  }
  return group;
}

Result<aws::ReplicationGroup> ElasticacheAuthTokenStrategy::resting_group() const {
  auto found = group();
  if (!found || resting(*found)) return found;
  return being_changed(named(group_), deps_);
}

// ROTATE, and nothing else: the engine has asked all there is to ask.
Result<SetResult> ElasticacheAuthTokenStrategy::set(const StepContext& ctx,
                                                    const SecretString& pending,
                                                    const SecretString&,
                                                    const SecretString*) const {
  auto token = read(pending);
  if (!token) return std::move(token).error().with_context("the pending version");
  if (!deps_.complete() || deps_.elasticache == nullptr) return no_backend_access();
  auto changed = deps_.elasticache->update_token(group_, Update::Rotate, *token, ctx.deadline);
  if (!changed) return std::move(changed).error();
  return SetResult{SetResult::State::NotYet,
                   being_changed("", deps_).retry_after.value_or(Duration(0))};
}

TestResult ElasticacheAuthTokenStrategy::test(const StepContext& ctx,
                                              const SecretString& value) const {
  auto token = read(value);
  if (!token) return rejected(token.error().message);  // no group can have it
  auto before = resting_group();
  if (!before) return unknown(before.error());
  const TestResult result = log_in(*before, *token, ctx.deadline);
  if (result.verdict != Verdict::Rejected) return result;
  // A change may have begun between the two: then it was no answer yet.
  const auto after = resting_group();
  return after ? result : unknown(after.error());
}

TestResult ElasticacheAuthTokenStrategy::log_in(const aws::ReplicationGroup& group,
                                                const SecretString& token,
                                                MonoTime deadline) const {
  auto addresses = addresses_of(group);
  if (!addresses) return unknown(addresses.error());
  auto servers = allowed_servers(deps_, *addresses);
  if (!servers) return unknown(servers.error());
  TestResult result;
  std::size_t accepted = 0;
  for (const Server& server : *servers) {
    TestResult one = redis_login(deps_, server, "", token, deadline);
    if (one.verdict == Verdict::Unknown) return one;
    if (one.verdict == Verdict::Accepted) ++accepted;
    result = std::move(one);
  }
  if (accepted == 0 || accepted == servers->size()) return result;
  return unknown(
      make_error(ErrorClass::Transient, "PartlySet",
                 "some primaries of " + named(group_) + " take the token and others refuse it"));
}

// SET.
Status ElasticacheAuthTokenStrategy::retire(const StepContext& ctx, const SecretString&,
                                            const SecretString& current,
                                            const std::function<bool()>& confirm) const {
  auto token = read(current);
  if (!token) return std::move(token).error();
  auto found = resting_group();
  if (!found) return std::move(found).error();
  if (!confirm()) {
    return make_error(ErrorClass::Conflict, "Changed",
                      "something changed before the other token was dropped");
  }
  auto changed = deps_.elasticache->update_token(group_, Update::Set, *token, ctx.deadline);
  if (changed) return {};
  Error error = std::move(changed).error();
  if (error.code == "InvalidReplicationGroupState") return being_changed(named(group_), deps_);
  // Which of its codes ElastiCache uses is written nowhere.
  const bool refused =
      error.code == "InvalidParameterValue" || error.code == "InvalidParameterCombination";
  if (refused) error.code = kNotNewest;
  return error;
}

bool ElasticacheAuthTokenStrategy::same_credential(const SecretString& a,
                                                   const SecretString& b) const {
  if (a == b) return true;
  const auto x = read(a), y = read(b);
  return x.ok() && y.ok() && *x == *y;
}

Result<SecretString> ElasticacheAuthTokenStrategy::carry(const SecretString& from,
                                                         const SecretString& onto) const {
  auto token = read(from);
  if (!token) return token;
  return write(onto, *std::move(token));
}

// The group's ARN is told by AWS alone: its rule is asked when it is.
Result<Strategy::References> ElasticacheAuthTokenStrategy::references(const SecretString&) const {
  return References{};
}

}  // namespace keyturn::engine
