// The shared configuration and credentials files of the AWS SDKs (~/.aws/config,
// ~/.aws/credentials).
//
// Thread rule: plain values and pure functions; reading a file blocks.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/aws/session.h"
#include "lib/base/result.h"

namespace keyturn::aws {

// One parsed file: properties by section. Property names are lower case; one nested under another
// ("secrets_manager =" with indented lines below) is "secrets_manager.endpoint_url". Values are
// wiped at the end: some are keys.
class ProfileFile {
 public:
  using Section = std::map<std::string, std::string, std::less<>>;

  ProfileFile() = default;
  ProfileFile(ProfileFile&&) = default;
  ProfileFile& operator=(ProfileFile&&) = default;
  ~ProfileFile();

  const Section* section(
      std::string_view name) const;  // "default", "profile x", "services x"; null: not there
  Section& add(const std::string& name) { return sections_[name]; }

 private:
  std::map<std::string, Section, std::less<>> sections_;
};

// Errors name the line, never its text. Comments: lines starting with # or ;, and " #" or " ;"
// after a value.
Result<ProfileFile> parse_profile_file(std::string_view text);

// The chosen profile in both files.
class Profile {
 public:
  const std::string& name() const { return name_; }
  bool exists() const { return exists_; }
  // The credentials file wins over the config file, as in the SDKs. "" and absent are the same.
  std::string get(std::string_view property) const;
  // `endpoint_url` of a service in the section that the profile's `services` names.
  std::string service_endpoint(std::string_view service_key) const;
  const std::string& places() const {
    return places_;
  }  // for messages: "~/.aws/credentials, ~/.aws/config"

 private:
  friend Result<Profile> load_profile(const Environment& env);
  std::string name_;
  std::string places_;
  bool exists_ = false;
  ProfileFile credentials_;
  ProfileFile config_;
};

// AWS_PROFILE ("default"), AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, else $HOME/.aws/. A
// missing file is an empty one; an unreadable or malformed one, and a profile that was asked for
// and is nowhere, are errors.
Result<Profile> load_profile(const Environment& env);

// A whole small file. NotFound when there is none, Invalid when unreadable or larger than
// `max_bytes`.
Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes = 1u << 20);

}  // namespace keyturn::aws
