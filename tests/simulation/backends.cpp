#include "tests/simulation/backends.h"

#include <array>

#include "lib/base/text.h"

namespace keyturn::simulation {

using engine::Leftover;
using engine::SetResult;
using engine::StepContext;
using engine::TestResult;
using engine::Traits;
using engine::Verdict;

std::string credential_of(std::string_view value) {
  return std::string(value.substr(0, value.find(';')));
}

std::string others_of(std::string_view value) {
  const std::size_t at = value.find(';');
  return at == std::string_view::npos ? std::string() : std::string(value.substr(at + 1));
}

std::string make_value(const std::string& credential, const std::string& others) {
  return credential + ';' + others;
}

namespace {

std::string credential(const SecretString& value) { return credential_of(value.reveal()); }

SecretString with_credential(const std::string& token, const SecretString& onto) {
  return SecretString(make_value(token, others_of(onto.reveal())));
}

// Carries out `request` between its two hooks.
template <class T>
T through(const Hook& hook, const std::string& name, const std::function<T()>& request) {
  if (hook) {
    if (auto error = hook(name, When::Before)) return *error;
  }
  T answer = request();
  if (hook) {
    if (auto error = hook(name, When::After)) return *error;
  }
  return answer;
}

TestResult verdict_of(const Result<bool>& accepted) {
  if (accepted.ok()) return {.verdict = *accepted ? Verdict::Accepted : Verdict::Rejected};
  const bool refused = accepted.error().cls == ErrorClass::Denied;  // a wrong rejection, injected
  return {.verdict = refused ? Verdict::Rejected : Verdict::Unknown,
          .detail = accepted.error().message};
}

std::string random_token(Rng& rng) {
  std::array<std::byte, 8> bytes;
  rng.fill(bytes);
  return "r" + hex(bytes);
}

}  // namespace

bool TokenBackend::accepts(const std::string& token) const {
  const auto found = tokens_.find(token);
  return found != tokens_.end() && found->second.active;
}

Result<std::string> TokenBackend::mint(const std::string& arn, const std::string& version_id) {
  return through<Result<std::string>>(hook, "mint " + version_id, [&]() -> Result<std::string> {
    const std::string token = "t" + std::to_string(++minted_);
    tokens_[token] = Token{.arn = arn, .version_id = version_id, .created = clock_.now()};
    return token;
  });
}

void TokenBackend::add_marked(const std::string& arn, const std::string& version_id) {
  tokens_["t" + std::to_string(++minted_)] =
      Token{.arn = arn, .version_id = version_id, .created = clock_.now()};
}

Status TokenBackend::revoke(const std::string& token) {
  return through<Status>(hook, "revoke " + token, [&]() -> Status {
    tokens_.erase(token);
    return {};
  });
}

Status TokenBackend::set_active(const std::string& token, bool active) {
  return through<Status>(hook, (active ? "enable " : "disable ") + token, [&]() -> Status {
    if (const auto found = tokens_.find(token); found != tokens_.end())
      found->second.active = active;
    return {};
  });
}

TestResult TokenBackend::login(const std::string& token) {
  return verdict_of(through<Result<bool>>(hook, "login " + token,
                                          [&]() -> Result<bool> { return accepts(token); }));
}

Result<std::map<std::string, TokenBackend::Token>> TokenBackend::list(const std::string& arn) {
  using Marked = std::map<std::string, Token>;
  return through<Result<Marked>>(hook, "list", [&]() -> Result<Marked> {
    Marked marked;
    for (const auto& [token, about] : tokens_) {
      if (about.arn == arn) marked[token] = about;
    }
    return marked;
  });
}

std::string PasswordBackend::choose(Rng& rng) { return random_token(rng); }

TestResult PasswordBackend::login(const std::string& password) {
  return verdict_of(through<Result<bool>>(hook, "login " + password,
                                          [&]() -> Result<bool> { return accepts(password); }));
}

Status PasswordBackend::change(const std::string& login, const std::string& to) {
  return through<Status>(hook, "change " + login + " to " + to, [&]() -> Status {
    if (!accepts(login))
      return make_error(ErrorClass::Denied, "Unauthorized",
                        "the backend does not let this password in");
    password_ = to;
    return {};
  });
}

namespace {

// What a strategy without a backend does: nothing anywhere. The others override what they can do.
class Base : public engine::Strategy {
 public:
  explicit Base(Traits traits) : traits_(std::move(traits)) {}
  const Traits& traits() const override { return traits_; }
  Status recognise(const SecretString&) const override { return {}; }
  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override {
    return with_credential(random_token(*ctx.rng), current);
  }
  Status discard(const StepContext&, const SecretString&) const override { return {}; }
  Result<SetResult> set(const StepContext&, const SecretString&, const SecretString&,
                        const SecretString*) const override {
    return SetResult{};
  }
  TestResult test(const StepContext&, const SecretString&) const override {
    return {.verdict = Verdict::Accepted};
  }
  Status retire(const StepContext&, const SecretString&, const SecretString&,
                const std::function<bool()>&) const override {
    return {};
  }
  Status abandon(const StepContext&, const SecretString&,
                 const std::function<bool()>&) const override {
    return {};
  }
  bool same_credential(const SecretString& a, const SecretString& b) const override {
    return credential(a) == credential(b);
  }
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override {
    return with_credential(credential(from), onto);
  }
  Result<std::vector<Leftover>> leftovers(const StepContext&, const SecretString&) const override {
    return std::vector<Leftover>();
  }
  bool is_leftover(const Leftover& leftover, const SecretString& value) const override {
    return leftover.backend_id == credential(value);
  }
  Status revoke_leftover(const StepContext&, const Leftover&, const SecretString&) const override {
    return {};
  }
  Result<References> references(const SecretString&) const override { return References{}; }

 private:
  const Traits traits_;
};

// From the last look until the revocation.
struct Gap {
  Tokens& tokens;
  explicit Gap(Tokens& t) : tokens(t) { tokens.revoking(true); }
  ~Gap() { tokens.revoking(false); }
};

class Minting final : public Base {
 public:
  Minting(Tokens& backend, MintingOptions options)
      : Base({.name = "minting",
              .backend = engine::Backend::TwoCredentials,
              .can_rollback = true,
              .can_revoke = true,
              .soft_revoke = options.soft_revoke}),
        backend_(backend),
        options_(options) {}

  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override {
    auto token = backend_.mint(ctx.arn, ctx.version_id);
    if (!token.ok()) return token.error();
    return with_credential(*token, current);
  }
  Status discard(const StepContext&, const SecretString& minted) const override {
    return options_.discards ? backend_.revoke(credential(minted)) : Status();
  }
  TestResult test(const StepContext&, const SecretString& value) const override {
    return backend_.login(credential(value));
  }
  Status retire(const StepContext&, const SecretString& retired, const SecretString&,
                const std::function<bool()>& confirm) const override {
    return revoke(credential(retired), confirm);
  }
  Status abandon(const StepContext& ctx, const SecretString& pending,
                 const std::function<bool()>& confirm) const override {
    const std::string token = credential(pending);
    const auto marked = backend_.list(ctx.arn);
    if (!marked.ok()) return marked.error();
    const auto found = marked->find(token);
    if (options_.checks_mark &&
        (found == marked->end() || found->second.version_id != ctx.version_id))
      return {};
    return revoke(token, confirm);
  }
  Status restore(const StepContext&, const SecretString& value,
                 const SecretString* other) const override {
    if (other != nullptr && same_credential(value, *other))
      return make_error(ErrorClass::Transient, "DeadHelper", "what is disabled cannot help itself");
    return options_.soft_revoke ? backend_.set_active(credential(value), true) : Status();
  }
  Result<std::vector<Leftover>> leftovers(const StepContext& ctx,
                                          const SecretString&) const override {
    std::vector<Leftover> found;
    if (!options_.lists_leftovers) return found;
    const auto marked = backend_.list(ctx.arn);
    if (!marked.ok()) return marked.error();
    for (const auto& [token, about] : *marked)
      found.push_back({token, about.version_id, about.created});
    return found;
  }
  Status revoke_leftover(const StepContext&, const Leftover& leftover,
                         const SecretString&) const override {
    return backend_.revoke(leftover.backend_id);
  }

 private:
  Status revoke(const std::string& token, const std::function<bool()>& confirm) const {
    const Error changed =
        make_error(ErrorClass::Conflict, "Changed", "something changed before the revocation");
    if (options_.soft_revoke) {
      const Gap gap(backend_);
      if (options_.asks_confirm && !confirm()) return changed;
      if (const Status disabled = backend_.set_active(token, false); !disabled.ok())
        return disabled;
    }
    const Gap gap(backend_);
    if (!options_.asks_confirm || confirm()) return backend_.revoke(token);
    if (options_.soft_revoke) {
      if (const Status enabled = backend_.set_active(token, true); !enabled.ok()) return enabled;
    }
    return changed;
  }

  Tokens& backend_;
  const MintingOptions options_;
};

class List final : public Base {
 public:
  List(PasswordList& backend, bool asks_confirm)
      : Base({.name = "list",
              .backend = engine::Backend::TwoCredentials,
              .can_rollback = true,
              .can_revoke = true,
              .set_replaces = true}),
        backend_(backend),
        asks_confirm_(asks_confirm) {}

  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override {
    return with_credential(backend_.choose(*ctx.rng), current);
  }
  Result<SetResult> set(const StepContext& ctx, const SecretString& pending,
                        const SecretString& current, const SecretString*) const override {
    const TestResult already = backend_.login(credential(pending));
    if (already.verdict == Verdict::Accepted) return SetResult{};
    if (already.verdict == Verdict::Unknown)
      return make_error(ErrorClass::Transient, "Unreachable", already.detail);
    if (asks_confirm_ && !ctx.confirm())
      return make_error(ErrorClass::Conflict, "Changed", "something changed before the write");
    const Status set = backend_.replace({credential(pending), credential(current)});
    if (!set.ok()) return set.error();
    return SetResult{};
  }
  TestResult test(const StepContext&, const SecretString& value) const override {
    return backend_.login(credential(value));
  }
  Status retire(const StepContext&, const SecretString&, const SecretString& current,
                const std::function<bool()>& confirm) const override {
    const TestResult works = backend_.login(credential(current));
    if (works.verdict != Verdict::Accepted)
      return make_error(ErrorClass::Denied, "CurrentRefused", works.detail);
    if (asks_confirm_ && !confirm())
      return make_error(ErrorClass::Conflict, "Changed", "something changed before the write");
    return backend_.replace({credential(current)});
  }

 private:
  PasswordList& backend_;
  const bool asks_confirm_;
};

class ForwardOnly final : public Base {
 public:
  explicit ForwardOnly(Passwords& backend)
      : Base({.name = "forwardOnly", .backend = engine::Backend::ForwardOnly}), backend_(backend) {}

  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override {
    return with_credential(backend_.choose(*ctx.rng), current);
  }
  Result<SetResult> set(const StepContext&, const SecretString& pending,
                        const SecretString& current, const SecretString* previous) const override {
    const TestResult already = backend_.login(credential(pending));
    if (already.verdict == Verdict::Accepted) return SetResult{};
    if (already.verdict == Verdict::Unknown)
      return make_error(ErrorClass::Transient, "Unreachable", already.detail);
    Status changed = backend_.change(credential(current), credential(pending));
    if (!changed.ok() && changed.error().cls == ErrorClass::Denied && previous != nullptr) {
      changed = backend_.change(credential(*previous), credential(pending));
    }
    if (!changed.ok()) return changed.error();
    return SetResult{};
  }
  TestResult test(const StepContext&, const SecretString& value) const override {
    return backend_.login(credential(value));
  }

 private:
  Passwords& backend_;
};

class Delegated final : public Base {
 public:
  explicit Delegated(std::function<Status(const std::string&)> rotate)
      : Base({.name = "delegated", .backend = engine::Backend::Delegated}),
        rotate_(std::move(rotate)) {}
  Status hand_over(const StepContext& ctx) const override { return rotate_(ctx.version_id); }

 private:
  const std::function<Status(const std::string&)> rotate_;
};

}  // namespace

std::unique_ptr<engine::Strategy> make_minting(Tokens& backend, MintingOptions options) {
  return std::make_unique<Minting>(backend, options);
}
std::unique_ptr<engine::Strategy> make_list(PasswordList& backend, bool asks_confirm) {
  return std::make_unique<List>(backend, asks_confirm);
}
std::unique_ptr<engine::Strategy> make_forward_only(Passwords& backend) {
  return std::make_unique<ForwardOnly>(backend);
}
std::unique_ptr<engine::Strategy> make_none() {
  return std::make_unique<Base>(
      Traits{.name = "none", .backend = engine::Backend::None, .can_rollback = true});
}
std::unique_ptr<engine::Strategy> make_delegated(
    std::function<Status(const std::string& version_id)> rotate) {
  return std::make_unique<Delegated>(std::move(rotate));
}

}  // namespace keyturn::simulation
