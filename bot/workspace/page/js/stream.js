// The live stream: reconnects with back-off, and says when it is lost and when it is back.

import { streamAddress } from "./api.js";

const FIRST_DELAY = 400;
const LONGEST_DELAY = 10_000;

export class Stream {
  /** `hear(event)` for each event, `lost()` when the connection ends, `open(again)` when it stands. */
  constructor(me, { hear, lost, open }) {
    Object.assign(this, { me, hear, lost, open });
    this.attempt = 0;
    this.closed = false;
    this.opened = false;
    this.retry = () => this.connect();
    window.addEventListener("online", this.retry);
    this.connect();
  }

  connect() {
    if (this.closed || (this.socket && this.socket.readyState <= WebSocket.OPEN)) return;
    clearTimeout(this.timer);
    this.socket = new WebSocket(streamAddress(this.me));
    this.socket.addEventListener("open", () => this.connected());
    this.socket.addEventListener("message", (event) => !this.closed && this.hear(JSON.parse(event.data)));
    this.socket.addEventListener("close", () => this.disconnected());
  }

  connected() {
    if (this.closed) return;
    const again = this.opened;
    this.opened = true;
    clearTimeout(this.steady);
    this.steady = setTimeout(() => {
      this.attempt = 0;
    }, LONGEST_DELAY); // a connection that holds starts the back-off anew
    this.open(again);
  }

  disconnected() {
    clearTimeout(this.steady);
    if (this.closed) return;
    this.lost();
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.attempt) * (0.75 + Math.random() / 2);
    this.attempt += 1;
    this.timer = setTimeout(this.retry, delay);
  }

  /** Give this connection up and try again later. */
  drop() {
    this.socket?.close();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    window.removeEventListener("online", this.retry);
    this.socket?.close();
  }
}
