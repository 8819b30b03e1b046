// create_alone(): a secret's first version.
#include "controller/cli/secret_errands.h"
#include "lib/base/uuid.h"

namespace keyturn::cli {
namespace {

using engine::Backend;
using engine::Verdict;

engine::StepContext context(Alone& alone, std::string arn, std::string version_id) {
  return {.arn = std::move(arn),
          .version_id = std::move(version_id),
          .clock = &alone.clock,
          .rng = &alone.rng,
          .deadline = alone.clock.mono() + alone.timing.view_age()};
}

Error explained(Error error, const std::string& name) {
  if (error.code == "ResourceExistsException")
    error.message += "; `keyturn secret rotate` works on it";
  if (error.code == "InvalidRequestException")
    error.message += "; `aws secretsmanager restore-secret --secret-id " + name +
                     "` brings back one that awaits deletion";
  return error;
}

}  // namespace

Result<Created> create_alone(Alone& alone, aws::SecretsAdmin& admin, const NewSecret& wanted) {
  const Backend backend = alone.strategy.traits().backend;
  const std::string version_id = uuid_v4(alone.rng);
  if (auto known = alone.strategy.recognise(wanted.value); !known) return std::move(known).error();
  SecretString first = wanted.value.clone();
  bool mints = false;
  if (backend == Backend::None) {
    auto made = alone.strategy.create(context(alone, "", version_id), wanted.value);
    if (!made) return std::move(made).error();
    first = std::move(made).value();
  } else if (backend == Backend::TwoCredentials) {
    const auto tested = alone.strategy.test(context(alone, "", version_id), wanted.value);
    if (tested.verdict == Verdict::Unknown) {
      return make_error(ErrorClass::Transient, "TestUnknown",
                        wanted.name +
                            " was not created: whether the value given holds a working "
                            "credential is not known: " +
                            tested.detail);
    }
    mints = tested.verdict == Verdict::Rejected;
  }
  if (first.empty())
    return invalid("NoValue", wanted.name + ": strategy " + alone.strategy.traits().name +
                                  " needs a value to start from: give it with --from-file");
  auto arn = admin.create_secret({.name = wanted.name,
                                  .client_request_token = version_id,
                                  .value = std::move(first),
                                  .description = wanted.description,
                                  .kms_key_id = wanted.kms_key_id});
  if (!arn) return explained(std::move(arn).error(), wanted.name);
  if (!mints) return Created{*arn, version_id, "created"};
  alone.secret_id = *arn;
  auto rotated = rotate_alone(alone, true);
  if (!rotated)
    return std::move(rotated).error().with_context(
        wanted.name +
        " was created, but has no working credential yet; `keyturn secret rotate` tries again");
  return Created{*arn, rotated->version_id, "created, and a credential minted"};
}

}  // namespace keyturn::cli
