#include "lib/base/suggest.h"

#include <gtest/gtest.h>

#include <array>

namespace keyturn {
namespace {

constexpr std::array<std::string_view, 4> kWords = {"generic", "syncOnly", "influxdbToken",
                                                    "influxdbUser"};

TEST(Nearest, FindsTypingErrors) {
  EXPECT_EQ(nearest("genric", kWords), "generic");
  EXPECT_EQ(nearest("synconly", kWords), "syncOnly");
  EXPECT_EQ(nearest("snycOnly", kWords), "syncOnly");  // a swap counts as one
  EXPECT_EQ(nearest("influxDbTokn", kWords), "influxdbToken");
}

TEST(Nearest, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest("vault", kWords), "");
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest(std::string(1000, 'g'), kWords), "");
  EXPECT_EQ(nearest("generic", {}), "");
}

TEST(Nearest, BoundIsAThirdOfTheLongerWord) {
  constexpr std::array<std::string_view, 1> kSix = {"abcdef"};
  EXPECT_EQ(nearest("abcdxy", kSix), "abcdef");
  EXPECT_EQ(nearest("abcxyz", kSix), "");
}

TEST(DidYouMean, IsReadyToAppend) {
  EXPECT_EQ(did_you_mean("genric", kWords), "; did you mean generic?");
  EXPECT_EQ(did_you_mean("vault", kWords), "");
}

}  // namespace
}  // namespace keyturn
