// What this person sees of the workspace. The stream says that something changed; the store reads it again, so that a
// lost event, a reconnect and a restart of the workspace all end in the same, true picture.

import { Api, ControlError } from "./api.js";
import { now, setOffset } from "./dates.js";
import { ReadMarks } from "./memory.js";
import { Stream } from "./stream.js";

/** Runs one reading per key at a time; a request during a reading makes it run once more. */
class Readings {
  constructor() {
    this.running = new Map();
  }

  run(key, read) {
    const current = this.running.get(key);
    if (current) {
      current.again = true;
      return current.promise;
    }
    const entry = { again: false };
    entry.promise = (async () => {
      try {
        do {
          entry.again = false;
          await read();
        } while (entry.again);
      } finally {
        this.running.delete(key);
      }
    })();
    this.running.set(key, entry);
    return entry.promise;
  }
}

export const threadKey = (channel, ts) => `${channel}/${ts}`;

export class Store extends EventTarget {
  constructor() {
    super();
    this.names = {
      me: null,
      person: (id) => this.people.get(id)?.real_name ?? null,
      channel: (id) => this.conversation(id)?.name ?? null,
      people: () => [...this.people.values()].filter((person) => !person.is_bot && !person.deleted),
      channels: () => this.conversations.filter((conversation) => conversation.kind !== "im"),
    };
    this.reset();
  }

  reset() {
    Object.assign(this, {
      people: new Map(),
      conversations: [],
      app: null,
      team: null,
      features: {},
      messages: new Map(),
      threads: new Map(),
      status: new Map(),
      prompts: new Map(),
      offered: new Map(),
      stack: [],
      home: null,
      here: { channel: null, tab: "messages", thread: null },
      online: true,
      readings: new Readings(),
    });
  }

  tell(topic, detail = {}) {
    this.dispatchEvent(new CustomEvent(topic, { detail }));
  }

  listen(topics, listener) {
    for (const topic of topics.split(" ")) this.addEventListener(topic, (event) => listener(event.detail));
  }

  conversation(id) {
    return this.conversations.find((conversation) => conversation.id === id) ?? null;
  }

  /** Become a person: read what they see and follow their stream. Raises ControlError or TypeError when it cannot. */
  async enter(as) {
    this.stream?.close();
    this.reset();
    this.api = new Api(as);
    await this.readPeople();
    this.marks = new ReadMarks(this.team.id, this.me);
    this.stream = new Stream(this.me, {
      hear: (event) => this.hear(event),
      lost: () => this.setOnline(false),
      open: (again) => this.connected(again),
    });
    await this.readEverything();
  }

  async readPeople() {
    const found = await this.api.get("bootstrap");
    this.me = typeof found.me === "string" ? found.me : found.me.id;
    this.api.me = this.me;
    this.names.me = this.me;
    this.people = new Map(found.people.map((person) => [person.id, person]));
    Object.assign(this, {
      team: found.team,
      conversations: found.conversations,
      app: found.app,
      features: found.features ?? {},
    });
    this.tell("people");
  }

  async readEverything() {
    const api = this.api;
    const thread = this.here.thread;
    await Promise.all([
      ...this.conversations.map((conversation) => this.readMessages(conversation.id)),
      this.readViews(),
      thread ? this.readThread(this.here.channel, thread) : null,
      this.features.clock ? this.readClock() : null,
    ]);
    if (api === this.api) this.tell("ready");
  }

  /** After a reconnect, or when this person joins or leaves a conversation. */
  async readEverythingAgain() {
    await this.readPeople();
    await this.readEverything();
  }

  async connected(again) {
    const { stream } = this;
    try {
      if (again) await this.readEverythingAgain();
      if (stream === this.stream) this.setOnline(true);
    } catch {
      stream.drop(); // it is not back yet: the stream waits and tries again
    }
  }

  setOnline(online) {
    if (this.online === online) return;
    this.online = online;
    this.tell("online");
  }

  readMessages(channel) {
    const api = this.api;
    return this.readings.run(channel, async () => {
      const found = await api.get("messages", { channel });
      if (api !== this.api) return;
      this.messages.set(channel, found.messages.filter(isTopLevel));
      this.adoptPrompts(channel, found);
      this.tell("messages", { channel });
    });
  }

  /** A direct message carries its prompts. Those that stood there before are for whoever has said nothing yet. */
  adoptPrompts(channel, found) {
    const offered = JSON.stringify(found.prompts);
    if (found.prompts === undefined || this.offered.get(channel) === offered) return;
    this.offered.set(channel, offered);
    if (found.messages.every((message) => message.user !== this.me)) this.setPrompts(channel, found);
  }

  readThread(channel, ts) {
    const api = this.api;
    const key = threadKey(channel, ts);
    return this.readings.run(key, async () => {
      const found = await api.get("messages", { channel, thread_ts: ts });
      if (api !== this.api) return;
      this.threads.set(key, found.messages);
      if (typeof found.status === "string") this.setStatus(channel, ts, found.status);
      this.tell("thread", { channel, ts });
    });
  }

  readViews() {
    const api = this.api;
    return this.readings.run("views", async () => {
      const found = await api.get("views");
      if (api !== this.api) return;
      this.stack = found.stack ?? [];
      this.home = found.home ?? null;
      this.tell("views");
    });
  }

  async readClock() {
    this.adoptClock(await this.api.get("clock"));
  }

  async moveClock(by) {
    this.adoptClock(await this.api.post("clock", by));
  }

  adoptClock(found) {
    const moment = typeof found.now === "number" ? found.now * 1000 : Date.parse(found.now);
    setOffset(moment - Date.now());
    this.tell("clock");
  }

  /** Await a reading that nobody waits for. What fails while offline is read again after the reconnect. */
  async follow(reading) {
    try {
      await reading;
    } catch (error) {
      if (error instanceof ControlError) this.tell("failed", { error });
      else if (!(error instanceof TypeError)) throw error;
    }
  }

  hear(event) {
    const channel = event.channel ?? event.message?.channel;
    const heard = HEARD[event.type];
    if (heard) heard(this, event, channel);
  }

  changed(event, channel) {
    if (!channel) return;
    this.settle(channel, event.message ?? event);
    this.follow(this.readMessages(channel));
    if (this.here.channel === channel && this.here.thread)
      this.follow(this.readThread(channel, this.here.thread));
  }

  /** A message of the app ends its "is thinking…". */
  settle(channel, message) {
    if (!message.bot_id && message.user !== this.app?.bot_user) return;
    this.setStatus(channel, message.thread_ts, "");
    this.setStatus(channel, null, "");
  }

  setStatus(channel, thread, text) {
    this.status.set(thread ? threadKey(channel, thread) : channel, text);
    this.tell("status", { channel, thread });
  }

  /** The status of a conversation, or of any thread of it but `except`. */
  statusIn(channel, except) {
    const elsewhere = [...this.status].find(
      ([key, text]) => text && key.startsWith(`${channel}/`) && key !== threadKey(channel, except),
    );
    return this.status.get(channel) || elsewhere?.[1] || "";
  }

  setPrompts(channel, found) {
    const prompts = Array.isArray(found.prompts)
      ? { title: found.title, prompts: found.prompts }
      : found.prompts;
    this.prompts.set(channel, prompts);
    this.tell("prompts", { channel });
  }

  /** Go to a conversation, a tab of it, or a thread in it. */
  go(place) {
    this.here = { tab: "messages", thread: null, ...place };
    if (this.here.thread) this.follow(this.readThread(this.here.channel, this.here.thread));
    this.tell("here");
  }

  isAppConversation(conversation) {
    return conversation?.kind === "im" && conversation.with === this.app?.bot_user;
  }

  /** The read mark of a place. One from the future is another life of this workspace, whose clock stood elsewhere. */
  mark(place) {
    const mark = Number(this.marks?.get(place) ?? 0);
    return mark > now() / 1000 + 60 ? 0 : mark;
  }

  /** How many messages of others came after the read mark. */
  unread(channel) {
    const mark = this.mark(channel);
    const newer = (message) => Number(message.ts) > mark && message.user !== this.me;
    return (this.messages.get(channel) ?? []).filter(newer).length;
  }

  threadUnread(channel, message) {
    const people = message.reply_users ?? [];
    if (
      !message.reply_count ||
      !(message.user === this.me || people.includes(this.me)) ||
      people.every((id) => id === this.me)
    )
      return false;
    const mark = Math.max(this.mark(threadKey(channel, message.ts)), this.mark(`${channel}/start`));
    return Number(message.latest_reply ?? 0) > mark;
  }

  hasUnreadThread(channel) {
    return (this.messages.get(channel) ?? []).some((message) => this.threadUnread(channel, message));
  }

  markRead(channel, thread) {
    const list = thread ? this.threads.get(threadKey(channel, thread)) : this.messages.get(channel);
    const changed = this.marks.set(thread ? threadKey(channel, thread) : channel, list?.at(-1)?.ts);
    if (changed) this.tell("unread", { channel });
  }
}

const isTopLevel = (message) =>
  !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast";
const statusText = (event) => event.status || event.loading_messages?.[0] || "";

const HEARD = {
  message: (store, event, channel) => store.changed(event, channel),
  message_changed: (store, event, channel) => store.changed(event, channel),
  message_deleted: (store, event, channel) => store.changed({}, channel),
  ephemeral: (store, event, channel) => store.changed(event, channel),
  views: (store) => store.follow(store.readViews()),
  home: (store) => store.follow(store.readViews()),
  status: (store, event, channel) => store.setStatus(channel, event.thread_ts, statusText(event)),
  prompts: (store, event, channel) => store.setPrompts(channel, event),
  warning: (store, event) => store.tell("warning", { text: event.text ?? event.message ?? event.warning }),
  members: (store) => store.follow(store.readEverythingAgain()),
  clock: (store) => store.features.clock && store.follow(store.readClock()),
};
