// The real influxdbToken strategy in the exhaustive exploration: its HTTP requests are the model's
// requests, one for one, to a server that hides token values (2.9) and an administrator who may do
// everything. What cannot depend on when it is asked (the ping, the sign-in, the administrator's
// secret) is answered at once.
//
// Every credential is an authorization whose id is its number. Thread rule: one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/engine/strategy.h"
#include "lib/http/transport.h"
#include "tests/simulation/model_actor.h"

namespace keyturn::simulation::model {

inline constexpr const char* kAdminArn =
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:admin-AbCdEf";
inline constexpr const char* kAdminValue = R"({"username":"admin","password":"p"})";

// What an authorization shows: the reply to Look, and a part of the reply to List.
struct Shown {
  Ver mark = 0;
  Cred replaces = 0;
  std::uint8_t flags = 0;  // 1: active, 2: our word `retiring`
};
static_assert(std::has_unique_object_representations_v<Shown>);

std::string influx_value(Cred token, std::uint8_t others);
struct ReadValue {
  Cred token = 0;
  std::uint8_t others = 0;
};
ReadValue read_influx_value(const std::string& value);

// `ask` gives the model's reply to a request.
using Ask = std::function<const std::string&(const Request&)>;
std::unique_ptr<engine::Strategy> make_influx_strategy(const std::string& arn,
                                                       aws::SecretsManager& secrets, Clock& clock,
                                                       Ask ask);

}  // namespace keyturn::simulation::model
