// Taking clients away, each only by who is not that client.
#include <algorithm>

#include "lib/base/text.h"
#include "lib/engine/strategies/astra_list.h"
#include "lib/engine/strategies/astra_token.h"
#include "lib/engine/strategies/mark.h"

namespace keyturn::engine {

using namespace astra;  // NOLINT(google-build-using-namespace): the strategy is made of it

namespace {

Error changed(const std::string& id) {
  return make_error(ErrorClass::Conflict, "SomethingChanged",
                    "client " + id + " is not revoked: something changed meanwhile");
}

Status not_itself(const Client& root, const std::string& id) {
  if (!same_client(root.own_id(), id)) return {};
  return invalid("RootRevokesItself",
                 "client " + id +
                     " is the root token's own, and no token revokes itself: nobody could see "
                     "whether that was done; revoke it by hand");
}

// A 404 is success where the list agrees: something on the way may have answered it.
Status remove(const Client& root, const std::string& id, MonoTime deadline) {
  Status removed = root.remove(id, deadline);
  if (removed || removed.error().cls != ErrorClass::NotFound) return removed;
  auto all = clients_as_root(root, deadline);
  if (!all) return std::move(all).error();
  if (find_client(*all, id) == nullptr) return {};
  Error still = std::move(removed).error();
  still.cls = ErrorClass::Transient;
  still.code = "StillListed";
  return std::move(still).with_context("client " + id + " is in the list all the same");
}

// Whether Keyturn made that version: it alone writes UUIDs of version 8.
bool made_by_keyturn(const std::string& version_id) {
  return version_id.size() == 36 && version_id[14] == '8';
}

// No client of the organisation carries a mark, not even the current one, which Keyturn made: the
// server drops descriptions.
bool drops_descriptions(const StepContext& ctx, const std::vector<ClientInfo>& all) {
  return made_by_keyturn(ctx.version_id) &&
         std::none_of(all.begin(), all.end(), [](const ClientInfo& one) {
           return Description::read(one.description).mark.has_value();
         });
}

}  // namespace

Status AstraTokenStrategy::discard(const StepContext& ctx, const SecretString& minted) const {
  auto secret = Secret::read(minted);
  if (!secret) return std::move(secret).error();
  auto by = root(ctx, *secret, nullptr);
  if (!by) return std::move(by).error();
  if (auto other = not_itself(by->client, secret->client_id); !other) return other;
  return remove(by->client, secret->client_id, ctx.deadline);
}

// By the root that the old value names: its client is in that root's organisation.
Status AstraTokenStrategy::retire(const StepContext& ctx, const SecretString& retired,
                                  const SecretString& current,
                                  const std::function<bool()>& confirm) const {
  auto old = Secret::read(retired);
  if (!old) return std::move(old).error();
  auto by = root(ctx, *old, &current);
  if (!by) return std::move(by).error();
  if (auto other = not_itself(by->client, old->client_id); !other) return other;
  auto all = clients_as_root(by->client, ctx.deadline);
  if (!all) return std::move(all).error();
  if (const ClientInfo* target = find_client(*all, old->client_id)) {
    const auto mark = Description::read(target->description).mark;
    if (mark && !same_secret_name(mark->arn, ctx.arn)) {
      return invalid("TokenOfAnotherSecret",
                     "client " + target->id + " was made for secret " + printable(mark->arn) +
                         " and is not revoked: revoke it by hand if that is right, then remove "
                         "KEYTURN_BATON from version " +
                         ctx.version_id);
    }
  }
  if (!confirm()) return changed(old->client_id);
  return remove(by->client, old->client_id, ctx.deadline);
}

Status AstraTokenStrategy::abandon(const StepContext& ctx, const SecretString& pending,
                                   const std::function<bool()>& confirm) const {
  auto secret = Secret::read(pending);
  // What cannot be read was not written by us; what we minted besides is found by its mark.
  if (!secret) return {};
  auto by = root(ctx, *secret, nullptr);
  if (!by) return std::move(by).error();
  auto all = clients_as_root(by->client, ctx.deadline);
  if (!all) return std::move(all).error();
  const ClientInfo* target = find_client(*all, secret->client_id);
  if (target == nullptr) return {};
  const auto mark = Description::read(target->description).mark;
  const std::string& text = target->description;
  if (!mark && (text.empty() || text.find(kMarkBegins) != std::string::npos)) {  // dropped, or cut
    return make_error(ErrorClass::NotFound, std::string(kNoMark),
                      "Client " + target->id +
                          " carries no mark that can be read, so whether it was made for version " +
                          ctx.version_id +
                          " is not known, and it is not revoked: revoke it by hand if nobody uses "
                          "it.");
  }
  if (!mark || mark->arn != ctx.arn || mark->version_id != ctx.version_id) return {};
  if (auto other = not_itself(by->client, target->id); !other) return other;
  if (!confirm()) return changed(target->id);
  return remove(by->client, target->id, ctx.deadline);
}

Result<std::vector<Leftover>> AstraTokenStrategy::leftovers(const StepContext& ctx,
                                                            const SecretString& current) const {
  auto secret = Secret::read(current);
  if (!secret) return std::move(secret).error();
  auto by = root(ctx, *secret, &current);
  if (!by) return std::move(by).error();
  auto all = clients_as_root(by->client, ctx.deadline);
  if (!all) return std::move(all).error();
  const ClientInfo* now = find_client(*all, secret->client_id);
  const bool drops = now != nullptr && drops_descriptions(ctx, *all);
  std::vector<Leftover> out;
  for (const ClientInfo& one : *all) {
    const bool others =
        same_client(one.id, secret->client_id) || same_client(one.id, by->client.own_id());
    if (others) continue;
    const auto mark = Description::read(one.description).mark;
    if (mark && same_secret_name(mark->arn, ctx.arn)) {
      out.push_back({.backend_id = one.id,
                     .version_id = mark->version_id,
                     .created = one.generated,
                     .former = mark->arn != ctx.arn});
    } else if (drops && one.description.empty() && one.roles == now->roles) {
      out.push_back(
          {.backend_id = one.id, .version_id = "", .created = one.generated, .doubtful = true});
    }
  }
  return out;
}

// In doubt it is.
bool AstraTokenStrategy::is_leftover(const Leftover& leftover, const SecretString& value) const {
  auto secret = Secret::read(value);
  return !secret || same_client(secret->client_id, leftover.backend_id);
}

Status AstraTokenStrategy::revoke_leftover(const StepContext& ctx, const Leftover& leftover,
                                           const SecretString& current) const {
  auto secret = Secret::read(current);
  if (!secret) return std::move(secret).error();
  if (leftover.former || leftover.doubtful || is_leftover(leftover, current)) {
    return invalid("NotALeftover", "client " + leftover.backend_id +
                                       " is the current token's, of a former secret, or perhaps "
                                       "not Keyturn's, and is not revoked");
  }
  auto by = root(ctx, *secret, &current);
  if (!by) return std::move(by).error();
  if (auto other = not_itself(by->client, leftover.backend_id); !other) return other;
  return remove(by->client, leftover.backend_id, ctx.deadline);
}

}  // namespace keyturn::engine
