// Lets the payment provider's script ask the rider, then loads the page again: the server knows what has come of it.
(() => {
  const settings = JSON.parse(document.querySelector("main").dataset.settings);
  const form = document.querySelector("form");
  const button = form.querySelector("button");
  const note = document.getElementById("note");
  const say = (text) => {
    note.textContent = text;
  };
  if (typeof Stripe !== "function") {
    say(settings.wentWrong);
    return;
  }
  const stripe = Stripe(settings.key);
  let chosen = () => (settings.method ? { payment_method: settings.method } : undefined);
  if (settings.entry) {
    const { color } = getComputedStyle(document.body);
    const style = { base: { color, iconColor: color, fontSize: "16px" } };
    const card = stripe.elements({ locale: settings.language }).create("card", { style });
    card.mount("#card");
    card.on("change", (event) => say((event && event.error && event.error.message) || ""));
    chosen = () => ({ payment_method: { card } });
  }
  const ask = (...what) => (settings.setup ? stripe.confirmCardSetup(...what) : stripe.confirmCardPayment(...what));
  button.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    say(settings.working);
    const { error } = await ask(settings.secret, chosen()).catch((caught) => ({ error: caught }));
    if (error && settings.entry) {
      say(error.message || settings.wentWrong);
      button.disabled = false;
    } else {
      window.location.reload();
    }
  });
})();
