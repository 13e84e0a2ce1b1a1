"""The sentences of the pages, in the languages that they know."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Texts:
    """The sentences of one language; ``{amount}`` stands for an amount and its currency, ``{seller}`` for a company."""

    language: str
    add_card: str
    card: str
    save_card: str
    saved_title: str
    saved: str
    cancel: str
    to_provider: str
    needs_script: str
    working: str
    went_wrong: str
    pay: str
    for_seller: str
    confirm_title: str
    confirm: str
    wait_title: str
    wait: str
    look_again: str
    in_app_title: str
    in_app: str
    paid_title: str
    paid: str
    held_title: str
    held: str
    failed_title: str
    failed: str
    over_title: str
    over: str
    given_back_title: str
    given_back: str
    not_found_title: str
    not_found: str
    try_again_title: str
    try_again: str


_ENGLISH: Final = Texts(
    language="en",
    add_card="Add a card",
    card="Card number, expiry date and security code",
    save_card="Save card",
    saved_title="Saved",
    saved="Your card is saved. You can close this page.",
    cancel="Cancel",
    to_provider="Your card's details go to our payment provider, Stripe, and nowhere else.",
    needs_script="This page needs JavaScript. Please switch it on, or open the page in another browser.",
    working="One moment …",
    went_wrong="That did not work. Please try again.",
    pay="Pay {amount}",
    for_seller="To {seller}",
    confirm_title="Confirm {amount}",
    confirm="Your bank wants to be sure that it is you who pays.",
    wait_title="One moment",
    wait="Your bank has not answered yet.",
    look_again="Look again",
    in_app_title="Go on in the app",
    in_app="This payment of {amount} can only be finished in the app that you ride with.",
    paid_title="Paid",
    paid="You have paid {amount}. You can close this page.",
    held_title="Reserved",
    held="{amount} is reserved on your card. You pay no more than your ride costs, and the rest is given back.",
    failed_title="Not paid",
    failed="The payment of {amount} failed. No money has been taken.",
    over_title="No longer possible",
    over="This payment of {amount} was called off or took too long. No money has been taken.",
    given_back_title="Given back",
    given_back="{amount} is no longer reserved on your card.",
    not_found_title="Nothing here",
    not_found="This link is not valid, or no longer. If it came with a message, please look for a newer one.",
    try_again_title="Please try again",
    try_again="We cannot tell at the moment. Please load this page again in a minute; nothing is paid twice.",
)

_NORWEGIAN: Final = Texts(
    language="nb",
    add_card="Legg til et kort",
    card="Kortnummer, utløpsdato og sikkerhetskode",
    save_card="Lagre kortet",
    saved_title="Lagret",
    saved="Kortet ditt er lagret. Du kan lukke denne siden.",
    cancel="Avbryt",
    to_provider="Kortopplysningene dine går til betalingsleverandøren vår, Stripe, og ingen andre steder.",
    needs_script="Denne siden trenger JavaScript. Slå det på, eller åpne siden i en annen nettleser.",
    working="Et øyeblikk …",
    went_wrong="Det gikk ikke. Prøv igjen.",
    pay="Betal {amount}",
    for_seller="Til {seller}",
    confirm_title="Bekreft {amount}",
    confirm="Banken din vil være sikker på at det er du som betaler.",
    wait_title="Et øyeblikk",
    wait="Banken din har ikke svart ennå.",
    look_again="Se igjen",
    in_app_title="Fortsett i appen",
    in_app="Denne betalingen på {amount} kan bare fullføres i appen du kjører med.",
    paid_title="Betalt",
    paid="Du har betalt {amount}. Du kan lukke denne siden.",
    held_title="Reservert",
    held="{amount} er reservert på kortet ditt. Du betaler bare det turen koster, og resten frigis.",
    failed_title="Ikke betalt",
    failed="Betalingen på {amount} mislyktes. Ingen penger er trukket.",
    over_title="Ikke lenger mulig",
    over="Denne betalingen på {amount} ble avbrutt eller tok for lang tid. Ingen penger er trukket.",
    given_back_title="Frigitt",
    given_back="{amount} er ikke lenger reservert på kortet ditt.",
    not_found_title="Ingenting her",
    not_found="Denne lenken er ikke gyldig, eller ikke lenger. Kom den i en melding, se etter en nyere.",
    try_again_title="Prøv igjen",
    try_again="Vi kan ikke si det akkurat nå. Last inn siden på nytt om et minutt; ingenting betales to ganger.",
)

_SWEDISH: Final = Texts(
    language="sv",
    add_card="Lägg till ett kort",
    card="Kortnummer, utgångsdatum och säkerhetskod",
    save_card="Spara kortet",
    saved_title="Sparat",
    saved="Ditt kort är sparat. Du kan stänga den här sidan.",
    cancel="Avbryt",
    to_provider="Dina kortuppgifter går till vår betalleverantör, Stripe, och ingen annanstans.",
    needs_script="Den här sidan behöver JavaScript. Slå på det, eller öppna sidan i en annan webbläsare.",
    working="Ett ögonblick …",
    went_wrong="Det gick inte. Försök igen.",
    pay="Betala {amount}",
    for_seller="Till {seller}",
    confirm_title="Bekräfta {amount}",
    confirm="Din bank vill vara säker på att det är du som betalar.",
    wait_title="Ett ögonblick",
    wait="Din bank har inte svarat än.",
    look_again="Titta igen",
    in_app_title="Fortsätt i appen",
    in_app="Den här betalningen på {amount} kan bara slutföras i appen som du åker med.",
    paid_title="Betalt",
    paid="Du har betalat {amount}. Du kan stänga den här sidan.",
    held_title="Reserverat",
    held="{amount} är reserverat på ditt kort. Du betalar bara vad resan kostar, och resten släpps.",
    failed_title="Inte betalt",
    failed="Betalningen på {amount} misslyckades. Inga pengar har dragits.",
    over_title="Inte längre möjligt",
    over="Den här betalningen på {amount} avbröts eller tog för lång tid. Inga pengar har dragits.",
    given_back_title="Släppt",
    given_back="{amount} är inte längre reserverat på ditt kort.",
    not_found_title="Ingenting här",
    not_found="Den här länken gäller inte, eller inte längre. Om den kom i ett meddelande, leta efter ett nyare.",
    try_again_title="Försök igen",
    try_again="Vi kan inte säga det just nu. Ladda om sidan om en minut; ingenting betalas två gånger.",
)

_FRENCH: Final = Texts(
    language="fr",
    add_card="Ajouter une carte",
    card="Numéro de carte, date d'expiration et code de sécurité",
    save_card="Enregistrer la carte",
    saved_title="Enregistrée",
    saved="Votre carte est enregistrée. Vous pouvez fermer cette page.",
    cancel="Annuler",
    to_provider="Les données de votre carte vont à notre prestataire de paiement, Stripe, et nulle part ailleurs.",
    needs_script="Cette page a besoin de JavaScript. Activez-le, ou ouvrez la page dans un autre navigateur.",
    working="Un instant …",
    went_wrong="Cela n'a pas fonctionné. Veuillez réessayer.",
    pay="Payer {amount}",
    for_seller="À {seller}",
    confirm_title="Confirmer {amount}",
    confirm="Votre banque veut s'assurer que c'est bien vous qui payez.",
    wait_title="Un instant",
    wait="Votre banque n'a pas encore répondu.",
    look_again="Regarder à nouveau",
    in_app_title="Continuez dans l'application",
    in_app="Ce paiement de {amount} ne peut être terminé que dans l'application avec laquelle vous roulez.",
    paid_title="Payé",
    paid="Vous avez payé {amount}. Vous pouvez fermer cette page.",
    held_title="Réservé",
    held="{amount} sont réservés sur votre carte. Vous ne payez que le prix du trajet, le reste est libéré.",
    failed_title="Non payé",
    failed="Le paiement de {amount} a échoué. Aucune somme n'a été prélevée.",
    over_title="Plus possible",
    over="Ce paiement de {amount} a été annulé ou a pris trop de temps. Aucune somme n'a été prélevée.",
    given_back_title="Libéré",
    given_back="{amount} ne sont plus réservés sur votre carte.",
    not_found_title="Rien ici",
    not_found="Ce lien n'est pas valable, ou ne l'est plus. S'il vient d'un message, cherchez-en un plus récent.",
    try_again_title="Veuillez réessayer",
    try_again="Nous ne le savons pas pour le moment. Rechargez la page dans une minute ; rien ne sera payé deux fois.",
)

_POLISH: Final = Texts(
    language="pl",
    add_card="Dodaj kartę",
    card="Numer karty, data ważności i kod bezpieczeństwa",
    save_card="Zapisz kartę",
    saved_title="Zapisano",
    saved="Twoja karta jest zapisana. Możesz zamknąć tę stronę.",
    cancel="Anuluj",
    to_provider="Dane karty trafiają do naszego operatora płatności, Stripe, i nigdzie indziej.",
    needs_script="Ta strona wymaga JavaScriptu. Włącz go albo otwórz stronę w innej przeglądarce.",
    working="Chwileczkę …",
    went_wrong="Nie udało się. Spróbuj ponownie.",
    pay="Zapłać {amount}",
    for_seller="Dla {seller}",
    confirm_title="Potwierdź {amount}",
    confirm="Twój bank chce mieć pewność, że to Ty płacisz.",
    wait_title="Chwileczkę",
    wait="Twój bank jeszcze nie odpowiedział.",
    look_again="Sprawdź ponownie",
    in_app_title="Przejdź do aplikacji",
    in_app="Tę płatność na {amount} można dokończyć tylko w aplikacji, z którą jeździsz.",
    paid_title="Zapłacono",
    paid="Zapłacono {amount}. Możesz zamknąć tę stronę.",
    held_title="Zablokowano środki",
    held="Na karcie zablokowano {amount}. Zapłacisz tylko za przejazd, reszta zostanie zwolniona.",
    failed_title="Nie zapłacono",
    failed="Płatność {amount} nie powiodła się. Nie pobrano żadnych środków.",
    over_title="Już niemożliwe",
    over="Ta płatność na {amount} została anulowana lub trwała zbyt długo. Nie pobrano żadnych środków.",
    given_back_title="Zwolniono środki",
    given_back="{amount} nie jest już zablokowane na karcie.",
    not_found_title="Nic tu nie ma",
    not_found="Ten link jest nieważny lub stracił ważność. Jeśli przyszedł w wiadomości, poszukaj nowszej.",
    try_again_title="Spróbuj ponownie",
    try_again="W tej chwili nie wiemy. Odśwież tę stronę za minutę; nic nie zostanie zapłacone dwa razy.",
)

LANGUAGES: Final = {each.language: each for each in (_ENGLISH, _NORWEGIAN, _SWEDISH, _FRENCH, _POLISH)}
_ALSO: Final = {"no": "nb", "nn": "nb"}


def texts_for(accepted: str) -> Texts:
    """The sentences in the language that a browser wants most (``Accept-Language``) of those that there are."""
    for language in _wanted(accepted):
        found = LANGUAGES.get(_ALSO.get(language, language))
        if found is not None:
            return found
    return _ENGLISH


def _wanted(accepted: str) -> list[str]:
    """The languages that a browser names, the most wanted ones first; what says no weight is wanted most."""
    weighted: list[tuple[float, str]] = []
    for each in accepted.lower().split(","):
        tag, _, quality = each.partition(";")
        name, _, value = quality.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        if weight > 0:
            weighted.append((weight, tag.strip().partition("-")[0]))
    return [language for _, language in sorted(weighted, key=lambda pair: -pair[0])]
