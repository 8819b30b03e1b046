// `keyturn secret rotate` and `keyturn secret step`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/secret_commands.h"
#include "controller/cli/secret_errands.h"
#include "controller/cli/secret_flags.h"

namespace keyturn::cli {
namespace {

struct RotateFlags {
  SecretFlags secret;
  bool force = false;
};

int rotate(const RotateFlags& given) {
  auto flags = resolve(given.secret, Asks::Strategy);
  if (!flags) return fail_secret("rotate", flags.error());
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("rotate", open.error());
  auto rotated = rotate_alone((*open)->alone(), given.force);
  if (!rotated) return fail_secret("rotate", rotated.error());
  if (flags->structured()) {
    print({{"secretArn", rotated->arn},
           {"versionId", rotated->version_id},
           {"previousVersionId", rotated->before},
           {"oldCredential", rotated->old_credential},
           {"wasUnderWay", rotated->was_under_way},
           {"steps", (*open)->steps()}},
          flags->output);
    return kDone;
  }
  std::printf("rotated %s: version %s is current%s\n", flags->secret.c_str(),
              rotated->version_id.c_str(),
              rotated->was_under_way ? " (an earlier run had begun it)" : "");
  if (!rotated->old_credential.empty())
    std::printf(
        "the credential of version %s is still valid: `keyturn secret retire` revokes it, else the "
        "next rotation does, or the operator where a policy rotates this secret\n",
        rotated->old_credential.c_str());
  return kDone;
}

struct StepFlags {
  SecretFlags secret;
  std::string step;
  bool force = false;
};

int step(const StepFlags& given) {
  const auto wanted = step_named(given.step);
  if (!wanted) return fail_secret("step", invalid("Usage", wanted.error().message));
  auto flags = resolve(given.secret, Asks::Strategy);
  if (!flags) return fail_secret("step", flags.error());
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("step", open.error());
  auto stepped = step_alone((*open)->alone(), *wanted, given.force);
  if (!stepped) return fail_secret("step", stepped.error());
  if (flags->structured()) {
    print({{"secretArn", stepped->arn},
           {"step", given.step},
           {"versionId", stepped->version_id},
           {"note", stepped->note},
           {"steps", (*open)->steps()}},
          flags->output);
  } else {
    std::printf("%s of %s: %s\n", given.step.c_str(), flags->secret.c_str(), stepped->note.c_str());
  }
  return kDone;
}

constexpr const char* kForce =
    "Pass the 15 minutes that lie between two rotations (AWS keeps about a hundred versions)";

}  // namespace

void add_secret_rotate(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<RotateFlags>();
  CLI::App* command = secret.add_subcommand(
      "rotate", "Rotate to the end, or finish the rotation that is under way");
  flags->secret.add_to(*command, Asks::Strategy);
  flags->secret.add_times_to(*command);
  command->add_flag("--force", flags->force, kForce);
  command->callback([flags, &chosen] {
    chosen.reads_signals = true;
    chosen.command = [flags] { return rotate(*flags); };
  });
}

void add_secret_step(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<StepFlags>();
  CLI::App* command =
      secret.add_subcommand("step", "Run exactly one step of a rotation, to see what it meets");
  command->add_option("STEP", flags->step, "createSecret, setSecret, testSecret or finishSecret")
      ->required();
  flags->secret.add_to(*command, Asks::Strategy);
  flags->secret.add_times_to(*command);
  command->add_flag("--force", flags->force, kForce);
  command->callback([flags, &chosen] {
    chosen.reads_signals = true;
    chosen.command = [flags] { return step(*flags); };
  });
}

}  // namespace keyturn::cli
