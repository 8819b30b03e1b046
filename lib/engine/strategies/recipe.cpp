#include "lib/engine/strategies/recipe.h"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/suggest.h"
#include "lib/base/text.h"
#include "lib/base/uuid.h"
#include "lib/engine/strategies/key_pair.h"

namespace keyturn::engine {
namespace {

constexpr int kMinBytes = 8, kMaxBytes = 4096;
constexpr std::size_t kLongestFormat = 32;
constexpr std::array<std::string_view, 7> kFormats = {"base64", "base64url", "hex",    "password",
                                                      "uuid",   "rsa",       "ed25519"};
// Everything that some format takes.
constexpr std::array<std::string_view, 11> kFormatOptions = {"bytes",
                                                             "bits",
                                                             "length",
                                                             "excludeCharacters",
                                                             "excludeNumbers",
                                                             "excludePunctuation",
                                                             "excludeUppercase",
                                                             "excludeLowercase",
                                                             "includeSpace",
                                                             "requireEachIncludedType",
                                                             "publicPointer"};

Result<SecretString> encode(const RandomBytes& bytes, Rng& rng) {
  std::string raw(bytes.count, '\0');
  rng.fill(std::as_writable_bytes(std::span(raw)));
  std::string text = bytes.encoding == Encoding::Hex         ? hex(as_bytes_of(raw))
                     : bytes.encoding == Encoding::Base64Url ? base64url(as_bytes_of(raw))
                                                             : base64(as_bytes_of(raw));
  cleanse(raw);
  return SecretString::take(std::move(text));
}

}  // namespace

Recipe::Recipe(Options& options) {
  const std::string format = options.text("format", kLongestFormat).value_or("base64");
  const auto bytes = [&](Encoding encoding) {
    return RandomBytes{encoding, static_cast<std::size_t>(
                                     options.integer("bytes", kMinBytes, kMaxBytes).value_or(32))};
  };
  if (format == "base64") {
    kind_ = bytes(Encoding::Base64);
  } else if (format == "base64url") {
    kind_ = bytes(Encoding::Base64Url);
  } else if (format == "hex") {
    kind_ = bytes(Encoding::Hex);
  } else if (format == "password") {
    kind_ = PasswordRecipe(options);
  } else if (format == "uuid") {
    kind_ = RandomUuid{};
  } else if (format == "rsa") {
    const int bits = options.integer("bits", 2048, 4096).value_or(3072);
    if (bits % 1024 != 0) options.fail("bits", "must be 2048, 3072 or 4096");
    kind_ = RsaPair{bits};
  } else if (format == "ed25519") {
    kind_ = Ed25519Pair{};
  } else {
    options.fail("format", "\"" + printable(format) + "\" is not a format" +
                               did_you_mean(format, kFormats) +
                               " (formats: base64, base64url, hex, password, uuid, rsa, ed25519)");
  }
}

Status Recipe::finish_format(Options& options) {
  const std::string format = options.text("format", kLongestFormat).value_or("base64");
  return options.finish(kFormatOptions, "does not go with format " + printable(format) +
                                            "; remove it, or choose another format");
}

Result<Material> Recipe::make(Rng& rng) const {
  const auto single = [](Result<SecretString> value) -> Result<Material> {
    if (!value) return std::move(value).error();
    return Material{std::move(value).value(), std::nullopt};
  };
  const auto pair = [](Result<KeyPair> keys) -> Result<Material> {
    if (!keys) return std::move(keys).error();
    return Material{std::move(keys->private_pem), std::move(keys->public_pem)};
  };
  if (const auto* bytes = std::get_if<RandomBytes>(&kind_)) return single(encode(*bytes, rng));
  if (const auto* password = std::get_if<PasswordRecipe>(&kind_))
    return single(password->draw(rng));
  if (const auto* rsa = std::get_if<RsaPair>(&kind_)) return pair(make_rsa(rsa->bits));
  if (std::holds_alternative<Ed25519Pair>(kind_)) return pair(make_ed25519(rng));
  return single(SecretString::take(uuid_v4(rng)));
}

}  // namespace keyturn::engine
