#include "lib/engine/strategies/password.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace keyturn::engine {
namespace {

using nlohmann::json;

PasswordRecipe recipe(const json& json_options) {
  Options options(json_options, "x");
  PasswordRecipe made(options);
  const auto done = options.finish();
  EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message);
  return made;
}

std::string draw(const PasswordRecipe& recipe, Rng& rng) {
  return std::string(recipe.draw(rng)->reveal());
}

bool has(const std::string& text, int (*is)(int)) {
  return std::any_of(text.begin(), text.end(),
                     [is](char c) { return is(static_cast<unsigned char>(c)) != 0; });
}

TEST(Password, DefaultsAreThoseOfGetRandomPassword) {
  SeededRng rng(1);
  const auto r = recipe(json::object());
  std::string all;
  for (int i = 0; i < 500; ++i) {
    const std::string password = draw(r, rng);
    ASSERT_EQ(password.size(), 32u);
    ASSERT_TRUE(has(password, std::isupper) && has(password, std::islower) &&
                has(password, std::isdigit) && has(password, std::ispunct))
        << password;
    all += password;
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  EXPECT_EQ(all.size(), 94u);  // every printable ASCII character but the space
  EXPECT_EQ(all.front(), '!');
  EXPECT_EQ(all.back(), '~');
}

TEST(Password, RequiredTypesOccurInTheShortestPassword) {
  SeededRng rng(2);
  const auto r = recipe({{"length", 4}});
  for (int i = 0; i < 300; ++i) {
    const std::string password = draw(r, rng);
    ASSERT_TRUE(has(password, std::isupper) && has(password, std::islower) &&
                has(password, std::isdigit) && has(password, std::ispunct))
        << password;
  }
}

TEST(Password, ExclusionsHold) {
  SeededRng rng(3);
  const auto r = recipe({{"length", 200},
                         {"excludeCharacters", "/@\"'\\aZ5"},
                         {"excludePunctuation", false},
                         {"excludeUppercase", true}});
  for (int i = 0; i < 50; ++i) {
    const std::string password = draw(r, rng);
    ASSERT_EQ(password.find_first_of("/@\"'\\aZ5"), std::string::npos);
    ASSERT_FALSE(has(password, std::isupper));
    ASSERT_TRUE(has(password, std::ispunct));
  }
}

TEST(Password, SpaceOnlyWhenAskedForAndNeverRequired) {
  SeededRng rng(4);
  const auto with = recipe({{"length", 1000}, {"includeSpace", true}}),
             without = recipe({{"length", 1000}});
  EXPECT_NE(draw(with, rng).find(' '), std::string::npos);
  EXPECT_EQ(draw(without, rng).find(' '), std::string::npos);
  const auto short_one = recipe({{"length", 4}, {"includeSpace", true}});
  EXPECT_EQ(draw(short_one, rng).size(), 4u);
}

TEST(Password,
     CharactersAreEquallyLikely) {  // chi-squared over the 94 characters, 93 degrees of freedom
  SeededRng rng(5);
  const auto r = recipe({{"length", 4096}, {"requireEachIncludedType", false}});
  std::map<char, int> count;
  constexpr int kRounds = 50;
  for (int i = 0; i < kRounds; ++i) {
    for (char c : draw(r, rng)) ++count[c];
  }
  const double expected = kRounds * 4096.0 / 94;
  double chi2 = 0;
  for (const auto& [c, n] : count) chi2 += (n - expected) * (n - expected) / expected;
  EXPECT_EQ(count.size(), 94u);
  EXPECT_LT(chi2, 150);  // p < 0.0002
  EXPECT_GT(chi2, 50);   // and not suspiciously even
}

// With rejection every allowed password is equally likely: two letters and a digit class reduce to
// a space small enough to count.
TEST(Password, AllowedPasswordsAreEquallyLikely) {
  SeededRng rng(6);
  const auto r =
      recipe({{"length", 3},
              {"excludeUppercase", true},
              {"excludePunctuation", true},
              {"excludeCharacters", "cdefghijklmnopqrstuvwxyz123456789"}});  // pool: a b 0
  std::map<std::string, int> count;
  constexpr int kRounds = 18'000;
  for (int i = 0; i < kRounds; ++i) ++count[draw(r, rng)];
  ASSERT_EQ(count.size(), 18u);  // 27 words, less 8 without 0, less "000"
  for (const auto& [password, n] : count) EXPECT_NEAR(n, 1000, 150) << password;
}

class StuckRng final : public Rng {
 public:
  void fill(std::span<std::byte> out) override {
    std::fill(out.begin(), out.end(), std::byte{0xFF});
  }
};

TEST(Password, ABrokenGeneratorIsAnErrorNotAHang) {
  StuckRng rng;
  const auto made = recipe({{"length", 8}}).draw(rng);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, "BadRandomness");
}

}  // namespace
}  // namespace keyturn::engine
