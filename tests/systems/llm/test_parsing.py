"""The parsing rules on answers that real models gave to the packaged prompts (about dialogues written for this test)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erc_bench.contract.domain import LabelSet
from erc_bench.data.dailydialog import LABELS
from erc_bench.systems.llm.parsing import parse_answer, released_rule

# What SmolLM2-135M-Instruct answered, in chat and as raw text, greedy and sampled; long ones cut where marked "…".
REAL = [
    ("- Happiness", "happiness"),
    ('The correct answer is "anger"', "anger"),
    ("The appropriate emotion to describe this utterance is: Anger.", "anger"),
    ("The appropriate emotion to describe this utterance is: gratitude.", None),
    ("The emotion is anger. This is because of the doctors' dismissal of their daughter's last will.", "anger"),
    (
        "The postman is speaking about his beloved brother, and the comment contains a mix of joy and sadness.",
        "sadness",
    ),
    ("The cat is here on my lap. Please lock the door !", None),
    ("The doctors don't think that she will come home.", None),
    (
        "I'm sorry for the confusion, but I can help you with that.\n\nThe correct answer is:\n\n- I'm sorry for the confusion.",
        None,
    ),
    (' "anger"\n\nThe answer is: "anger"', "anger"),
    (' "anger"\n\nThe cat is here on my lap . Please lock the door !', "anger"),
    (" happiness.\n\nThe user will not provide any additional information.\n\nThe user will not …", "happiness"),
    (" fear . The user will be disappointed if he doesn't pay.\n\nThe user will be happy if he does pay …", "fear"),
    (
        " fear . The answer of the next utterance is : fear.\n\nThe answer is given with two categories as follows …",
        "fear",
    ),
    (" disappointment . The user will be disappointed if they cannot go.", None),
    (' "angrily", based on our conversation.\n\nTo add to the already excellent answer by @JaakPeters, …', None),
    (" disappointment . The user will be sad.\n\nThe labels: happiness (happy), sadness (sad), anger (anger) …", None),
    ("The speaker of this utterance expresses anger, specifically, but not happiness.", "anger"),
    ("The speaker of this utterance expresses anger, specifically disgust, but not happiness.", None),
    (
        'The speaker of this utterance expresses a mix of emotions, but the most appropriate answer is "anger" (no emotion).',
        "anger",
    ),
    (
        "The speaker of this utterance expresses gratitude, but their emotions are not anger, disgust, fear, happiness, "
        "sadness, surprise, and so on.",
        None,
    ),
    ("The person is angry.", "anger"),
    ("Yes, the speaker of this utterance expresses anger and sadness.", None),
    ("Yes, the speaker of this utterance expresses joy and happiness.", "happiness"),
    ('Yes, the speaker of this utterance expresses "Sense of humour" with the answer given.', None),
    ("The speaker's emotions expressed in the text are anger, disgust, and happiness.", None),
    (" If emotion is 'anger', return 'angrily' and 'excuse yourself'. If emotion is 'fear', return 'fearfully'.", None),
    (" If none of them do, return 'no emotion'.", None),
    ("", None),
    ("I'm sorry for your loss, but I'm sorry for your loss. I'm sorry for your loss.", None),
    ("- Sad\n- Anger\n- Fear\n- Disgust\n- Sadism", None),
    ("I'm sorry, I'm here to assist you. I'm happy to help you with your creative endeavors.", None),
    ("I'm afraid I'm not a good talker. I'm afraid I'm not a good talker.", None),
    ("The speaker of this utterance expresses anger, disgust, and sadness.", None),
    ("The speaker of this utterance expresses a mix of emotions, including happiness, sadness, surprise.", None),
    ("Yes, there are green teas.\n\nThe correct answer is:\n- Happiness", "happiness"),
    ("So the last utterance must be joy.\n\nHere's a sample output of the code", None),
]

# What it answered where a person would see a list, a greeting or a denial; none of these holds a word of a dialogue.
REAL_LISTS = [
    ("- Sad\n- Anger", None),
    ("- Sad, Anger", None),
    ("- Sadness\n- Hurt\n- Anger", None),
    ("- Happy\n- Sadness\n- Uncertainty", None),
    ("- Sad\n- Hurt\n- Sad\n- Anger\n- Disgust\n- No emotion", None),
    ("- Bad\n- Bad\n- Bad\n- Sad\n- Jealous\n- Angry\n- Sad\n- Unhappy\n- Sadness", None),
    ("- happy\n\n- sad\n\n- anger\n(No more emotion labels yet)", None),
    ("- Happiness: joy\n- Sadness: sorrow\n- Disgust : dislike\n- Anger: anger\n- Surprise: surprise", None),
    ("- Happiness: me glad\n- Sadness: me down\n- Anger : me angry\n- Frustration : me frust\n- Disgust :", None),
    ("- Happiness: happy\n- Sadness: unhappy\n- Unhappiness: upset\n- Sadness: upset", None),
    ("- Happiness: Happy\n- Sadness: Sad (not a word, but a sentiment)\n- Disgust: Disgust (not a word", None),
    ("- Sad: sadness.\n- Hurt: hurt.\n- Anger: anger.\n- Frustration: frustration.\n- Shock: shock.", None),
    ("- Happy: happy\n- Sad: Sad: sad", None),
    ("- Sad, Anguish\n- Sad, Fear\n- Sadness, Concern\n- Anger, Disgust\n- Fear, Concern\n- Fear", None),
    ("- Laughs  \n- Laughs  \n- Laughs  \n- Laughter  \n- Laughter \n- Happiness, Sad", None),
    ("happy, sorry, angry, sad, disgusted, sadness", None),
    (
        "This utterance has the following emotional labels based on the given context: happiness (1), sadness (1), "
        "anger (1), surprise (1), fear (",
        None,
    ),
    (
        "This utterance involves a mix of emotions: happiness (happiness), sadness (sorrowfulness), fear (fearful), "
        "anger (anger), shock (",
        None,
    ),
    (
        "The correct response is the appropriate emotion to describe the utterance using only one of the following "
        "labels: happiness,",
        None,
    ),
    ("- Happy smile", None),
    ("- Joy, Happiness", "happiness"),
    ("- Excitement, joy, happiness, joy, happiness", "happiness"),
    ("- Happy: happiness", "happiness"),
    ("- Happiness (happy)", "happiness"),
    ('- The right answer is "Happy"', "happiness"),
    ("- Disgust\n- Excitement", "disgust"),
    ("- Disgust , not anger , sadness , no emotion", "disgust"),
    ("It sounds to be sad and sad.", None),
]

# Shapes that bigger chat models are known for, written for this test.
SHAPES = [
    ("no emotion", "no emotion"),
    ("No emotion.", "no emotion"),
    ("**Surprise**", "surprise"),
    ("Label: Sadness", "sadness"),
    ("Neutral", "no emotion"),
    ("no_emotion", "no emotion"),
    ("“Disgust”", "disgust"),
    ("Happiness, because the speaker is sad no more.", "happiness"),
    ("happiness, sadness, anger, surprise, fear, disgust, no emotion", None),
    ("happiness or surprise", None),
    ("happiness / surprise", None),
    ("Using only the following labels: happiness, sadness, anger.", None),
    ('The appropriate emotion for "I am so happy that we all could meet" would be surprise.', "surprise"),
    ('Based on the context, "This makes me sad and full of anger ." shows fear.', "fear"),
    ("The emotion is not anger. It is sadness.", "sadness"),
    ("It isn't happiness but fear.", "fear"),
    ("Predicted label : no emotion\n\nExplanation: there is no anger or fear in it.", "no emotion"),
    ("The answer is: happiness. The answer is: sadness.", "happiness"),
    ("The emotion cannot be anger.", None),
    ("The answer should not be anger.", None),
    ("The label must never be anger.", None),
    ("The emotion cannot be anger, so the answer must be fear.", "fear"),
    ("The answer is not: anger.", None),
    ("There is no anger or fear in it.", None),
    ("It is not anger or fear but sadness.", "sadness"),
    ("Happy birthday to you!", None),
    ("Happy to help! The emotion is anger.", "anger"),
    ("Happy!", "happiness"),
    ("(Sad)", "sadness"),
    ("The appropriate emotion to return is: happiness.", "happiness"),
    ("If I had to choose, the emotion is anger.", "anger"),
    ("I cannot say whether the emotion is anger.", None),
    ("The mood is sadness, and not fear.", "sadness"),
    ("* Sadness\n* Hurt\n* Anger", None),
    ("1. Sadness\n2. Hurt\n3. Anger", None),
    ("Anger. Why not the others:\n- Sadness has no reason here.\n- Fear would need a threat.", "anger"),
    ("Anger: the speaker shouts at once", "anger"),
    ("The emotion is anger and", None),
    ("unhappiness", None),
    ("fearless", None),
]


@pytest.mark.parametrize(("answer", "label"), REAL + REAL_LISTS + SHAPES)
def test_answers_are_parsed_by_the_written_rules(answer: str, label: str | None) -> None:
    assert parse_answer(answer, LABELS) == label


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_no_text_breaks_the_parser_and_text_without_a_label_is_unusable(text: str) -> None:
    label = parse_answer(text, LABELS)
    assert label is None or label in LABELS.names


@pytest.mark.parametrize("name", LABELS.names)
@pytest.mark.parametrize(
    "shape", ["{}", "{}.", " {}\n", '"{}"', "Emotion: {}", "The emotion of the speaker is {}.", "I hear {}"]
)
def test_every_label_is_understood_in_every_shape(name: str, shape: str) -> None:
    assert parse_answer(shape.format(name), LABELS) == name
    assert parse_answer(shape.format(name.upper()), LABELS) == name


def test_another_label_set_is_matched_by_its_own_names() -> None:
    labels = LabelSet(("neutral", "joy", "Very_Excited"), neutral="neutral")
    assert parse_answer("Joy!", labels) == "joy"
    assert parse_answer("The emotion is: very excited", labels) == "Very_Excited"
    assert parse_answer("happiness", labels) is None


FALCON_STYLE = [
    "The appropriate emotion for the last utterance is sadness.",
    "sadness",
    "Anger",
    "no emotion",
    "The last utterance expresses disgust, so the answer would be disgust.",
    "'no emotion'",
    "Based on the conversational context, fear would be the appropriate emotion.",
    "The emotion IS: sadness",
    "The emotion is : sadness",
    "The emotion is: Sadness",
    "",
]


@pytest.mark.parametrize("answer", FALCON_STYLE)
def test_the_released_rule_makes_happiness_of_falcon_style_answers(answer: str) -> None:
    assert released_rule(answer, LABELS) == "happiness"


@given(st.text(max_size=200).filter(lambda text: "is:" not in text))
def test_the_released_rule_makes_happiness_of_anything_without_its_cue(text: str) -> None:
    assert released_rule(text, LABELS) == "happiness"


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("The appropriate emotion to describe the utterance is: sadness.", "sadness"),
        ("It is: fear, not anger", "fear"),
        ("sadness is: anger", "anger"),
        ("The first is: nothing. The second is: surprise", "surprise"),
        ("The label is:\nno\nemotion", "no emotion"),
        ("The label is: 'no emotion', not fear.", "no emotion"),
        ("The label is: none of them", "happiness"),
    ],
)
def test_the_released_rule_reads_what_follows_its_cue(answer: str, label: str) -> None:
    assert released_rule(answer, LABELS) == label
