
// localstripe's own confirmCardPayment only asks for the proof. As the provider's script does it, a payment is confirmed
// with its card first, and the proof is asked for if the bank wants one.
{
  const original = Stripe;
  Stripe = (apiKey) => {
    const confirmCardPayment = async (clientSecret, data) => {
      const intent = clientSecret.split("_secret_")[0];
      const ask = async (what, members) => {
        const response = await fetch(`${LOCALSTRIPE_BASE_API}/v1/payment_intents/${intent}/${what}`, {
          method: "POST",
          body: JSON.stringify({ key: apiKey, client_secret: clientSecret, ...members }),
        });
        return response.json();
      };
      const query = new URLSearchParams({ key: apiKey, client_secret: clientSecret });
      const seen = await fetch(`${LOCALSTRIPE_BASE_API}/v1/payment_intents/${intent}?${query}`);
      let found = await seen.json();
      if (!found.error && found.status !== "requires_action") {
        const method = data && data.payment_method;
        const entered = method && method.card && { type: "card", card: method.card.value.card };
        found = await ask("confirm", entered ? { payment_method_data: entered } : { payment_method: method });
      }
      if (found.status === "requires_action") {
        const question = "3D Secure\nDo you want to confirm or cancel?";
        const success = await openModal(question, "Complete authentication", "Fail authentication");
        found = await ask("_authenticate", { success });
      }
      const error = found.error || found.last_payment_error;
      return error ? { error } : { paymentIntent: found };
    };
    return { ...original(apiKey), confirmCardPayment };
  };
}
