#include "tests/simulation/sim_backend.h"

#include "tests/simulation/backends.h"
#include "tests/simulation/sim_influx.h"

namespace keyturn::simulation {

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::Minting:
      return "minting";
    case Kind::SoftMinting:
      return "softMinting";
    case Kind::ForwardOnly:
      return "forwardOnly";
    case Kind::None:
      return "none";
    case Kind::Delegated:
      return "delegated";
    case Kind::InfluxdbToken:
      return "influxdbToken";
  }
  return "";
}

namespace {

// Values of the fake strategies: "<credential>;<other fields>".
class Plain : public SimBackend {
 public:
  explicit Plain(SimBackendDeps deps) : deps_(std::move(deps)) {}
  std::string first_value() override { return make_value("t0", "0"); }
  std::string credential(const std::string& value) const override { return credential_of(value); }
  std::string others(const std::string& value) const override { return others_of(value); }
  std::string with(const std::string&, const std::string& credential,
                   const std::string& others) const override {
    return make_value(credential, others);
  }
  bool accepts(const std::string&) const override { return true; }
  std::string own_credential(int number) override { return "own" + std::to_string(number); }

 protected:
  // The hook of a fake backend: its request goes through the schedule. What is lost on the way back
  // or late is carried out here, since the fake only carries out what is answered.
  Hook hook() {
    return [this](const std::string& name, When when) { return request(name, when); };
  }
  virtual void carry_out(const std::string&) {}
  virtual bool knows(const std::string&) const { return false; }  // a credential

  SimBackendDeps deps_;

 private:
  std::optional<Error> request(const std::string& name, When when) {
    Schedule& schedule = deps_.schedule;
    if (when == When::After) {
      schedule.arrive();
      return std::nullopt;
    }
    const MonoTime sent = deps_.clock.mono();
    const bool login = name.starts_with("login ");
    const bool changes = name.starts_with("change ") || name.starts_with("revoke ");
    const Schedule::Fate fate = schedule.send(name, changes);
    if (login && knows(name.substr(6)) && schedule.strikes(Fault::WrongRejection)) {
      schedule.happened(Fault::WrongRejection);
      ++deps_.wrong;
      return make_error(ErrorClass::Denied, "Rejected", "wrongly rejected");
    }
    if (fate == Schedule::Fate::Carried) return std::nullopt;
    if (fate == Schedule::Fate::LostReply) carry_out(name);
    if (fate == Schedule::Fate::Late) {
      ++deps_.confirming;
      schedule.later(name, sent, [this, name] {
        --deps_.confirming;
        carry_out(name);
      });
    }
    if (fate == Schedule::Fate::Refused && !login)
      return make_error(ErrorClass::Denied, "Forbidden", "not allowed");
    return lost(name);
  }
};

class TwoCredentials final : public Plain {
 public:
  TwoCredentials(const SimBackendDeps& deps, bool soft)
      : Plain(deps), soft_(soft), tokens_(deps.clock) {
    tokens_.add("t0");
    tokens_.hook = hook();
    tokens_.on_revoking = [this](bool under_way) { deps_.confirming += under_way ? 1 : -1; };
  }
  std::unique_ptr<engine::Strategy> strategy() override {
    return make_minting(tokens_, {.soft_revoke = soft_});
  }
  bool accepts(const std::string& value) const override {
    return tokens_.accepts(credential_of(value));
  }
  std::string own_credential(int number) override {
    const std::string own = Plain::own_credential(number);
    tokens_.add(own);
    return own;
  }
  std::vector<Living> living() const override {
    std::vector<Living> found;
    for (const auto& [token, about] : tokens_.tokens())
      found.push_back({token, !about.arn.empty(), token});
    return found;
  }

 private:
  void carry_out(const std::string& name) override {
    if (name.starts_with("revoke ")) tokens_.remove(name.substr(7));
    if (name.starts_with("mint ")) tokens_.add_marked(deps_.arn, name.substr(5));
  }
  bool knows(const std::string& token) const override { return tokens_.accepts(token); }

  const bool soft_;
  TokenBackend tokens_;
};

class OnePassword final : public Plain {
 public:
  explicit OnePassword(const SimBackendDeps& deps) : Plain(deps) {
    password_.become("t0");
    password_.hook = hook();
  }
  std::unique_ptr<engine::Strategy> strategy() override { return make_forward_only(password_); }
  bool accepts(const std::string& value) const override {
    return password_.accepts(credential_of(value));
  }
  std::string own_credential(int number) override {
    const std::string own = Plain::own_credential(number);
    password_.become(own);
    return own;
  }
  std::function<void()> undo() override {
    return [this, before = password_.password()] { password_.become(before); };
  }

 private:
  void carry_out(const std::string& name) override {
    if (!name.starts_with("change ")) return;
    const std::size_t to = name.find(" to ");
    if (password_.accepts(name.substr(7, to - 7))) password_.become(name.substr(to + 4));
  }
  bool knows(const std::string& password) const override { return password_.accepts(password); }

  PasswordBackend password_;
};

class Nothing final : public Plain {
 public:
  using Plain::Plain;
  std::unique_ptr<engine::Strategy> strategy() override { return make_none(); }
};

class HandedOver final : public Plain {
 public:
  using Plain::Plain;
  std::unique_ptr<engine::Strategy> strategy() override {
    return make_delegated(deps_.rotate_secret);
  }
};

}  // namespace

std::unique_ptr<SimBackend> make_backend(Kind kind, const SimBackendDeps& deps) {
  switch (kind) {
    case Kind::Minting:
      return std::make_unique<TwoCredentials>(deps, false);
    case Kind::SoftMinting:
      return std::make_unique<TwoCredentials>(deps, true);
    case Kind::ForwardOnly:
      return std::make_unique<OnePassword>(deps);
    case Kind::None:
      return std::make_unique<Nothing>(deps);
    case Kind::Delegated:
      return std::make_unique<HandedOver>(deps);
    case Kind::InfluxdbToken:
      return make_influx(deps);
  }
  return nullptr;
}

}  // namespace keyturn::simulation
