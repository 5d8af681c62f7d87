// Updates what has changed every 2 s, so that scrolling, selected text and screen
// readers are left alone. Without scripts the page reloads itself as a whole.
const parts = ["state", "facts", "faults", "tiers", "groups", "peers", "proxies"];
const lost = document.getElementById("lost");

async function refresh() {
  try {
    const answer = await fetch("?format=html", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    for (const id of parts) {
      const [before, after] = [document.getElementById(id), fresh.getElementById(id)];
      if (before.isEqualNode(after)) continue;
      before.className = after.className; // the element stays: a live region that is replaced is silent
      before.innerHTML = after.innerHTML;
    }
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  setTimeout(refresh, 2000);
}
setTimeout(refresh, 2000);
