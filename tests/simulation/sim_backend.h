// What a kind of credential is in the simulated world: its strategy, how its values are written,
// and what is true at its backend. Thread rule: whoever holds the turn.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/aws/secrets_manager.h"
#include "lib/engine/strategy.h"
#include "tests/simulation/sim_schedule.h"
#include "tests/simulation/sim_setup.h"

namespace keyturn::simulation {

enum class Kind { Minting, SoftMinting, ForwardOnly, None, Delegated, InfluxdbToken };
inline constexpr std::array kKinds{Kind::Minting, Kind::SoftMinting, Kind::ForwardOnly,
                                   Kind::None,    Kind::Delegated,   Kind::InfluxdbToken};
const char* to_string(Kind kind);

class SimBackend {
 public:
  virtual ~SimBackend() = default;
  // A process makes one of its own.
  virtual std::unique_ptr<engine::Strategy> strategy() = 0;

  virtual std::string first_value() { return {}; }
  virtual std::string credential(const std::string& value) const = 0;
  virtual std::string others(const std::string& value) const = 0;  // its other fields
  virtual std::string with(const std::string& value, const std::string& credential,
                           const std::string& others) const = 0;

  virtual bool accepts(const std::string& value) const = 0;  // a reader that holds it, now
  // A person makes a credential of their own there.
  virtual std::string own_credential(int number) = 0;
  // What a person did can be taken back: the state to go back to.
  virtual std::function<void()> undo() {
    return [] {};
  }
  // Credentials that live there.
  struct Living {
    std::string credential;
    bool ours = false;  // it carries our mark
    std::string name;   // for people
  };
  virtual std::vector<Living> living() const { return {}; }
};

// What a backend needs of the world.
struct SimBackendDeps {
  Schedule& schedule;
  Clock& clock;
  std::string arn;
  const Setup& setup;  // for InfluxdbToken
  // Leaders between their last look and a revocation: what a person does by hand in that instant
  // is not protected.
  int& confirming;
  int& wrong;                                                          // wrong answers given
  std::function<Status(const std::string& version_id)> rotate_secret;  // AWS's, for Delegated
  aws::SecretsManager& secrets;
  std::function<std::string(const std::string& name, const std::string& value)> add_secret;
};
std::unique_ptr<SimBackend> make_backend(Kind kind, const SimBackendDeps& deps);

}  // namespace keyturn::simulation
