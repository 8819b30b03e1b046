#include "lib/aws/profile.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "lib/base/secret_string.h"
#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view without_inline_comment(std::string_view value) {
  for (std::size_t i = 1; i < value.size(); ++i) {
    if ((value[i] == '#' || value[i] == ';') && is_blank(value[i - 1])) return value.substr(0, i);
  }
  return value;
}

// "[ profile  x ]" → "profile x"
Result<std::string> section_name(std::string_view line, const std::string& where) {
  const auto end = line.find(']');
  if (end == std::string_view::npos)
    return invalid("ProfileFile", where + ": a section lacks its ]");
  const std::string_view inner = trim(line.substr(1, end - 1));
  if (inner.empty()) return invalid("ProfileFile", where + ": a section has no name");
  const auto space = inner.find_first_of(" \t");
  if (space == std::string_view::npos) return std::string(inner);
  return std::string(inner.substr(0, space)) + " " + std::string(trim(inner.substr(space)));
}

Status store_property(ProfileFile::Section& section, std::string_view line,
                      const std::string& parent, std::string& last_name, const std::string& where) {
  const auto equals = line.find('=');
  if (equals == std::string_view::npos)
    return invalid("ProfileFile", where + ": expected name = value");
  const std::string name = lower_ascii(trim(line.substr(0, equals)));
  if (name.empty()) return invalid("ProfileFile", where + ": a property has no name");
  section[parent.empty() ? name : parent + "." + name] =
      std::string(trim(without_inline_comment(line.substr(equals + 1))));
  if (parent.empty()) last_name = name;
  return {};
}

}  // namespace

ProfileFile::~ProfileFile() {
  for (auto& [name, section] : sections_) {
    for (auto& [property, value] : section) cleanse(value);
  }
}

const ProfileFile::Section* ProfileFile::section(std::string_view name) const {
  const auto found = sections_.find(name);
  return found == sections_.end() ? nullptr : &found->second;
}

Result<ProfileFile> parse_profile_file(std::string_view text) {
  ProfileFile out;
  ProfileFile::Section* section = nullptr;
  std::string last_name;  // what an indented line belongs to
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    const std::string_view content = trim(line);
    if (content.empty() || content[0] == '#' || content[0] == ';') continue;
    const std::string where = "line " + std::to_string(number);
    if (content[0] == '[') {
      auto name = section_name(content, where);
      if (!name) return name.error();
      section = &out.add(*name);
      last_name.clear();
      continue;
    }
    if (section == nullptr)
      return invalid("ProfileFile", where + ": text before the first [section]");
    const bool nested = is_blank(line[0]) && !last_name.empty();
    if (nested && content.find('=') == std::string_view::npos) {
      // A folded value; only the nested form matters to us, so it is kept as one line.
      (*section)[last_name].append(" ").append(content);
      continue;
    }
    if (Status s = store_property(*section, content, nested ? last_name : "", last_name, where);
        !s) {
      return s.error();
    }
  }
  return out;
}

Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int why = errno;
    return make_error(why == ENOENT || why == ENOTDIR ? ErrorClass::NotFound : ErrorClass::Invalid,
                      "FileUnreadable", path + ": " + std::strerror(why));
  }
  std::string out(max_bytes + 1, '\0');  // one allocation: nothing secret is left behind by growing
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (file.bad() || (file.fail() && !file.eof())) {
    return invalid("FileUnreadable", path + ": cannot be read (is it a directory?)");
  }
  out.resize(static_cast<std::size_t>(file.gcount()));
  if (out.size() > max_bytes) {
    cleanse(out);
    return invalid("FileTooLarge", path + ": larger than " + std::to_string(max_bytes) + " bytes");
  }
  return out;
}

std::string Profile::get(std::string_view property) const {
  const std::string in_config = name_ == "default" ? "default" : "profile " + name_;
  for (const auto* section : {credentials_.section(name_), config_.section(in_config)}) {
    if (section == nullptr) continue;
    const auto found = section->find(property);
    if (found != section->end() && !found->second.empty()) return found->second;
  }
  return "";
}

std::string Profile::service_endpoint(std::string_view service_key) const {
  const std::string services = get("services");
  const auto* section = services.empty() ? nullptr : config_.section("services " + services);
  if (section == nullptr) return "";
  const auto found = section->find(std::string(service_key) + ".endpoint_url");
  return found == section->end() ? "" : found->second;
}

Result<Profile> load_profile(const Environment& env) {
  const auto value = [&env](const char* name) { return env(name).value_or(""); };
  const std::string home = value("HOME");
  const auto place = [&](const char* variable, const char* file) {
    const std::string chosen = value(variable);
    if (!chosen.empty()) return chosen;
    return home.empty() ? std::string() : home + "/.aws/" + file;
  };
  const auto load = [](const std::string& path, ProfileFile& into) -> Status {
    if (path.empty()) return {};
    auto text = read_small_file(path);
    if (!text) return text.error().cls == ErrorClass::NotFound ? Status() : Status(text.error());
    auto parsed = parse_profile_file(*text);
    cleanse(*text);
    if (!parsed) return parsed.error().with_context(path);
    into = std::move(*parsed);
    return {};
  };

  Profile out;
  const std::string credentials_path = place("AWS_SHARED_CREDENTIALS_FILE", "credentials");
  const std::string config_path = place("AWS_CONFIG_FILE", "config");
  if (Status s = load(credentials_path, out.credentials_); !s) return s.error();
  if (Status s = load(config_path, out.config_); !s) return s.error();
  const std::string chosen = value("AWS_PROFILE");
  out.name_ = chosen.empty() ? "default" : chosen;
  out.places_ = credentials_path.empty() && config_path.empty()
                    ? "no file: HOME is not set"
                    : credentials_path + ", " + config_path;
  out.exists_ =
      out.credentials_.section(out.name_) != nullptr ||
      out.config_.section(out.name_ == "default" ? "default" : "profile " + out.name_) != nullptr;
  if (!out.exists_ && !chosen.empty()) {
    return invalid("ProfileNotFound", "AWS_PROFILE names \"" + printable(chosen, 100) +
                                          "\", which is in neither of " + out.places_);
  }
  return out;
}

}  // namespace keyturn::aws
