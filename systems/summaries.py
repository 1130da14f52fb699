"""What `systems list` says of each system: its `info.summary` and `info.context` again, so that it imports none of them."""

ATTENTION = "Attention over a dialogue's frozen sentence embeddings; triplet loss and weighted cross-entropy."

SUMMARIES = {
    "erc_bench.systems.floors:Constant": ("One label for every utterance, the neutral one unless set.", "utterance"),
    "erc_bench.systems.dialogue_encoder.system:DialogueEncoder": (
        "Pretrained transformer fine-tuned on whole dialogues, a label from the mean of an utterance's tokens.",
        "dialogue",
    ),
    "erc_bench.systems.llm.system:Falcon7b": ("Falcon-7b-instruct, zero-shot with the paper's prompt", "past"),
    "erc_bench.systems.isolated.system:IsolatedLinear": (
        "FastText word vectors of one utterance, linear layers, triplet loss; label from the metric space",
        "utterance",
    ),
    "erc_bench.systems.isolated.system:IsolatedLstm": (
        "FastText word vectors of one utterance, five-layer LSTM, triplet loss; label from the metric space",
        "utterance",
    ),
    "erc_bench.systems.llm.system:Llama13b": ("Llama-2-13b-chat, zero-shot with the paper's prompt", "dialogue"),
    "erc_bench.systems.llm.system:Llama7b": ("Llama-2-7b-chat, zero-shot with the paper's prompt", "dialogue"),
    "erc_bench.systems.llm.system:LLM": (
        "Any chat model behind an OpenAI-compatible server, asked with a prompt template",
        "dialogue",
    ),
    "erc_bench.systems.floors:Lookup": (
        "The label that the same text has in the training split, else the neutral label.",
        "utterance",
    ),
    "erc_bench.systems.minilm_classifier:MinilmClassifier": (
        "Classifier on the sentence embedding of the utterance alone, encoder frozen or fine-tuned.",
        "utterance",
    ),
    "erc_bench.systems.floors:Prior": (
        "Random draws from the distribution of labels in the training split.",
        "utterance",
    ),
    "erc_bench.systems.raw_encoder:RawEncoder": (
        "Frozen sentence embeddings, nearest class mean of the training split; nothing else is learned but one "
        "offset, as in every other row",
        "utterance",
    ),
    "erc_bench.systems.sentemocontext.system:SentEmoContext": (
        ATTENTION,
        "dialogue",
    ),
    "erc_bench.systems.sentemocontext.variants:SentEmoContextMpnet": (
        f"{ATTENTION} Encoder: all-mpnet-base-v2.",
        "dialogue",
    ),
    "erc_bench.systems.sentemocontext.variants:SentEmoContextPaper": (
        f"{ATTENTION} Where the paper's text decides, nothing else: inverse frequencies in full, all triplets, both losses "
        "alike, no speaker vectors, no position codes, no selection on validation.",
        "dialogue",
    ),
    "erc_bench.systems.sentemocontext.released:SentEmoContextReleased": (
        "Architecture of the code released with SEC, for its published number only: attention runs across the "
        "dialogues of a batch and test dialogues come one at a time, 15 utterances a dialogue, an encoder that training does "
        "not change",
        "dialogue",
    ),
    "erc_bench.systems.sentemocontext.variants:SentEmoContextRoberta": (
        f"{ATTENTION} Encoder: all-roberta-large-v1.",
        "dialogue",
    ),
    "erc_bench.systems.llm.system:SmolLM2": (
        "SmolLM2-135M-Instruct, zero-shot with the paper's Llama prompt; runs on any machine",
        "dialogue",
    ),
    "erc_bench.systems.tfidf_logreg:TfidfLogreg": (
        "TF-IDF of word n-grams and class-weighted logistic regression.",
        "utterance",
    ),
}
