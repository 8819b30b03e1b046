#include "lib/engine/labels.h"

#include <gtest/gtest.h>

#include <set>

#include "lib/base/uuid.h"

namespace keyturn::engine {
namespace {

const std::string kArn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/orders-AbCdEf";

TEST(SuccessorId, IsTheSameForEverybodyWhoSawTheSameLabels) {
  const std::string id = successor_id(kArn, "c", "l");
  EXPECT_EQ(id, successor_id(kArn, "c", "l"));
  EXPECT_TRUE(is_uuid(id));
  EXPECT_EQ(id[14], '8');
  // Fixed for ever: versions of earlier releases must stay recognisable. Computed with Python's
  // hashlib.
  EXPECT_EQ(id, "378354ac-9dd6-8692-a302-697afda436b5");
  EXPECT_EQ(successor_id(kArn, "c", ""), "378354ac-9dd6-8148-9472-b9cb9859bc68");
}

TEST(SuccessorId, DependsOnSecretCurrentAndLatest) {
  const std::set<std::string> ids{successor_id(kArn, "c", "l"), successor_id(kArn, "c", ""),
                                  successor_id(kArn, "c", "l2"), successor_id(kArn, "c2", "l"),
                                  successor_id(kArn + "x", "c", "l")};
  EXPECT_EQ(ids.size(), 5u);
}

TEST(MadeFrom, IsReadFromTheIdAlone) {
  const std::string id = successor_id(kArn, "c", "l");
  EXPECT_TRUE(made_from(kArn, id, "c"));
  EXPECT_TRUE(made_from(kArn, successor_id(kArn, "c", ""), "c"));
  EXPECT_FALSE(made_from(kArn, id, "l"));
  EXPECT_FALSE(made_from(kArn + "x", id, "c"));
  EXPECT_FALSE(made_from(kArn, "person-1", "c"));
  EXPECT_FALSE(made_from(kArn, id, ""));
}

TEST(ReadLabels, NamesTheHolders) {
  const aws::StagesByVersion stages{{"a", {"AWSCURRENT", "KEYTURN_LATEST"}},
                                    {"b", {"AWSPREVIOUS", "KEYTURN_BATON"}},
                                    {"c", {"other"}}};
  EXPECT_EQ(read_labels(kArn, stages),
            (Labels{.current = "a", .previous = "b", .pending = "", .latest = "a", .baton = "b"}));
}

TEST(ReadLabels, ABatonOnAPendingVersionMadeFromTheCurrentOneIsTheLatest) {
  const std::string id = successor_id(kArn, "c", "l");
  EXPECT_EQ(read_labels(kArn, {{"c", {"AWSCURRENT"}},
                               {"l", {"KEYTURN_LATEST"}},
                               {id, {"AWSPENDING", "KEYTURN_BATON"}}})
                .latest,
            id);
  EXPECT_EQ(read_labels(kArn, {{"c", {"AWSCURRENT"}}, {id, {"AWSPENDING"}}}).latest, id);
  EXPECT_EQ(read_labels(kArn, {{"h", {"AWSCURRENT"}}, {"c", {"AWSPREVIOUS"}}, {id, {"AWSPENDING"}}})
                .latest,
            id);
  // Not ours, or not pending: nothing is assumed.
  EXPECT_EQ(
      read_labels(kArn, {{"c", {"AWSCURRENT"}}, {"x", {"AWSPENDING", "KEYTURN_BATON"}}}).latest,
      "");
  EXPECT_EQ(read_labels(kArn, {{"c", {"AWSCURRENT"}}, {id, {"KEYTURN_BATON"}}}).latest, "");
  EXPECT_EQ(
      read_labels(kArn, {{"c", {"AWSCURRENT"}}, {"l", {"KEYTURN_LATEST"}}, {id, {"AWSPENDING"}}})
          .latest,
      "l");
}

TEST(MoveLabel, DoesWhatAwsDoes) {
  aws::StagesByVersion stages{{"a", {"AWSCURRENT"}}, {"b", {"AWSPREVIOUS"}}, {"n", {"AWSPENDING"}}};
  move_label(stages, kPending, "");
  EXPECT_EQ(stages, (aws::StagesByVersion{{"a", {"AWSCURRENT"}}, {"b", {"AWSPREVIOUS"}}}));
  move_label(stages, kCurrent, "n");
  EXPECT_EQ(stages, (aws::StagesByVersion{{"a", {"AWSPREVIOUS"}}, {"n", {"AWSCURRENT"}}}));
  move_label(stages, kCurrent, "a");
  EXPECT_EQ(stages, (aws::StagesByVersion{{"a", {"AWSCURRENT"}}, {"n", {"AWSPREVIOUS"}}}));
}

}  // namespace
}  // namespace keyturn::engine
