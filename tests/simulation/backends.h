// Fake backends and the five fake strategies of the simulation, one per kind of backend: minting
// with two credentials, a list of two that is replaced as a whole, forward only, delegated, none. A
// secret's value is "<credential>;<other fields>".
//
// Every request to a backend goes through Hook first and last, so that a harness can schedule, fail
// or lose it. Thread rule: not thread-safe; the harness lets one actor run at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/rng.h"
#include "lib/engine/strategy.h"

namespace keyturn::simulation {

enum class When { Before, After };
// An error instead of the request (Before), or instead of its reply (After).
using Hook = std::function<std::optional<Error>(const std::string& request, When)>;

std::string credential_of(std::string_view value);
std::string others_of(std::string_view value);
std::string make_value(const std::string& credential, const std::string& others);

// What the minting strategy asks of its backend: several credentials at a time, each with a mark
// saying for whom it was minted.
class Tokens {
 public:
  struct Token {
    std::string arn, version_id;  // the mark; empty: not ours
    WallTime created{};
    bool active = true;
  };
  virtual ~Tokens() = default;
  virtual Result<std::string> mint(const std::string& arn, const std::string& version_id) = 0;
  virtual Status revoke(const std::string& token) = 0;
  virtual Status set_active(const std::string& token, bool active) = 0;
  virtual engine::TestResult login(const std::string& token) = 0;
  virtual Result<std::map<std::string, Token>> list(const std::string& arn) = 0;
  // The strategy is between its last look and the revocation: what a person does by hand in that
  // instant is not protected.
  virtual void revoking(bool /*under_way*/) {}
};

// What the forward-only strategy asks of its backend: one password; whoever knows it may change it.
class Passwords {
 public:
  virtual ~Passwords() = default;
  virtual std::string choose(Rng& rng) = 0;  // a new password; no request
  virtual engine::TestResult login(const std::string& password) = 0;
  virtual Status change(const std::string& login, const std::string& to) = 0;  // Denied: not let in
};

// What the strategy asks whose every write replaces all passwords, at most two.
class PasswordList {
 public:
  virtual ~PasswordList() = default;
  virtual std::string choose(Rng& rng) = 0;  // a new password; no request
  virtual engine::TestResult login(const std::string& password) = 0;
  virtual Status replace(const std::vector<std::string>& passwords) = 0;
};

class TokenBackend final : public Tokens {
 public:
  explicit TokenBackend(Clock& clock) : clock_(clock) {}

  Hook hook;
  std::function<void(bool)> on_revoking;
  void revoking(bool under_way) override {
    if (on_revoking) on_revoking(under_way);
  }
  bool accepts(const std::string& token) const;
  void add(const std::string& token) { tokens_[token].created = clock_.now(); }
  void add_marked(const std::string& arn,
                  const std::string& version_id);  // minted, and nobody was told
  void remove(const std::string& token) { tokens_.erase(token); }
  const std::map<std::string, Token>& tokens() const { return tokens_; }

  Result<std::string> mint(const std::string& arn, const std::string& version_id) override;
  Status revoke(const std::string& token) override;
  Status set_active(const std::string& token, bool active) override;
  engine::TestResult login(const std::string& token) override;
  Result<std::map<std::string, Token>> list(const std::string& arn) override;

 private:
  Clock& clock_;
  std::map<std::string, Token> tokens_;
  int minted_ = 0;
};

class PasswordBackend final : public Passwords {
 public:
  Hook hook;
  bool accepts(const std::string& password) const { return password == password_; }
  const std::string& password() const { return password_; }
  void become(const std::string& password) { password_ = password; }

  std::string choose(Rng& rng) override;
  engine::TestResult login(const std::string& password) override;
  Status change(const std::string& login, const std::string& to) override;

 private:
  std::string password_;
};

// What the rules lose when a test takes them away (tests/simulation/explore.cpp).
struct MintingOptions {
  bool soft_revoke = false;
  bool checks_mark = true;   // abandon() revokes only what was minted for the version
  bool asks_confirm = true;  // retire() and abandon() look again directly before revoking
  bool lists_leftovers = true;
  bool discards = true;
};

std::unique_ptr<engine::Strategy> make_minting(Tokens& backend, MintingOptions options = {});
// `asks_confirm`: as above.
std::unique_ptr<engine::Strategy> make_list(PasswordList& backend, bool asks_confirm = true);
std::unique_ptr<engine::Strategy> make_forward_only(Passwords& backend);
std::unique_ptr<engine::Strategy> make_none();
// `rotate` is AWS's RotateSecret with that ClientRequestToken.
std::unique_ptr<engine::Strategy> make_delegated(
    std::function<Status(const std::string& version_id)> rotate);

}  // namespace keyturn::simulation
