"""Words that say nothing about what is asked, by language (ISO 639-1), written as `core/terms.py` folds them.

The lists are short on purpose: a word that may be a name or a rule ("will", "may" stand, "wish", "ward" do not) costs
more when it is missing than a stray one costs when it is there.
"""

from collections.abc import Mapping

_ENGLISH = """
a about above actually after again against all almost already also although always am among amongst an and another any
anybody anyone anything are aren arent around as ask at away be because been before being below between both but by
came can cannot cant come could couldnt did didnt do does doesnt doing done dont down during each else ever every
everything exactly explain few for from get gets give gives go goes going gone got had has hasnt have havent having he
hello her here heres hers herself hey hi him himself his how however hows i id if ill im in into is isnt it its itself
ive just know known knows let lets like likely lot made make makes many may maybe me mean means mine more most much
must my myself near need needs no nor not now of off often oh ok okay on once one ones only onto or other others our
ours ourselves out over own per perhaps please quite rather really said same say says shall she should shouldnt since
so some somebody someone something sort still such sure take takes tell tells than thank thanks that thats the their
theirs them themselves then there theres these they theyre thing things think this those though through to too toward
towards two under until up upon us use used uses using usually very want wants was wasnt way we well went were werent
what whatever whats when whens where wheres wherever whether which whichever while who whoever whom whos whose why
whys will with within without wont would wouldnt yes yet you your youre yours yourself youve
"""
_GERMAN = """
aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist bitte da damit dann das dass dein
deine dem den denn der deren des dessen dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein
eine einem einen einer eines er erzahl erzahle es etwas euch euer fur gegen gibt hab habe haben hast hat hatte hatten
hier hin ich ihm ihn ihnen ihr ihre ihrem ihren im in ins ist ja jede jedem jeden jeder jedes jetzt kann kannst kein
keine konnen konnte mal man mehr mein meine mich mir mit muss nach nicht nichts noch nun nur ob oder ohne sag sage
sehr sein seine sich sie sind so soll sollte uber um und uns unser unter viel vom von vor wann war waren warum was
weiss weisst welche welchem welchen welcher welches wem wen wenn wer werden wessen wie wieso wieviel wird wirst wo
woher wohin wohl wurde wurden zu zum zur zwischen
"""
_FRENCH = """
a ai au aussi autre aux avais avait avant avec avez avoir c ca ce cela ces cet cette chez combien comment d dans de
des dis dit dont du elle elles en es est et etait ete etes etre eux faire fait font il ils j je l la le les leur leurs
lui m ma mais me meme mes moi mon n ne ni nos notre nous on ont ou par parle pas peu peut peux plus pour pourquoi
pouvez qu quand que quel quelle quelles quels qui quoi raconte s sa sais sans savez se sera ses si son sont sous suis
sur t ta te tes toi ton tous tout toute tres tu un une va vers vos votre vous y
"""
_SPANISH = """
a al algo alguna alguno algunos ante antes como con contra cual cuales cuando cuanta cuantas cuanto cuantos cuentame
de del desde dime donde dos el ella ellas ellos en entre era eran eres es esa esas ese eso esos esta estaba estan
estar estas este esto estos estoy fue fueron ha habla hablame hace han has hasta hay he la las le les lo los mas me mi
mis mucho muy nada ni no nos nosotros o os otra otro para pero poco por porque puede pueden puedes que quien quienes
sabe sabes se sea ser si sin sobre son soy su sus tambien tan te tiene tienen todo todos tu tus un una unas uno unos y
ya yo
"""
_ITALIAN = """
a agli ai al alla alle allo anche c che chi ci come con cosa cui d da dagli dai dal dalla dalle de degli dei del dell
della delle dello di dimmi dove e ed era erano essere fa gli ha hai hanno ho i il in io l la le lei li lo loro lui ma
me mi mia mio ne nei nel nella nelle noi non o parlami per perche piu po puo puoi qual quale quali quando quanta
quante quanti quanto quel quella quello questa queste questi questo raccontami sa sai se sei si sia sono su sua sul
sulla suo ti tra tu tua tuo tutti tutto un una uno vi voi
"""
_PORTUGUESE = """
a ao aos as ate com como da das de dela dele deles depois diga do dos e ela elas ele eles em entre era eram essa esse
esta estao estar este eu existe foi foram ha isso isto ja lhe mais mas me mesmo meu minha muito na nao nas nem no nos
o onde os ou para pela pelas pelo pelos pode podem por porque quais qual quando quanta quantas quanto quantos que quem
sabe sabes sao se sem ser seu seus sobre sua suas tambem te tem tenho teu tu tua um uma umas uns voce voces
"""
_DUTCH = """
aan al alle alles als ben bij daar dan dat de deze die dit door een en er had heb hebben heeft het hij hoe hoeveel hun
ik in is ja je jij jou jouw kan kun kunt maar me meer met mij mijn moet na naar niet nog nu of om omdat ons onze ook
op over te toen tot u uit uw van veel vertel voor waar waarom wanneer waren was wat we weet wel welk welke werd wie
wij wil worden wordt zal ze zich zij zijn zo zou
"""
_RUSSIAN = """
а без был была были было быть в вам вас во вот все всех вы где да для до его ее если есть еще же за здесь знаете
знаешь и из или им их к как какая какие какого какое какой каком какую когда кого кому которая которые который кто
куда ли мне мной мы на над нам нас не него нее нет ни них но ну о об он она они оно от откуда по под почему при про
расскажи рассказать с сам свой себя сейчас скажи сколько со так такая такое такой там те тебе тебя то того тоже только
том тот ты у уже чего чей чем через что чтобы это этого этой этом этот эту я
"""
_POLISH = """
a aby albo ale bez bo byc byl byla bylo byly co czy dla dlaczego do gdy gdzie go i ich ile im jak jaka jaki jakie
jakiego jakiej jego jej jest jestem kiedy kto ktora ktore ktory ma mam masz mi mnie moj moze mozesz na nad nam nas
nich nie nim o od on ona one oni opowiedz oraz po pod powiedz przez przy sa sie skad swoj ta tak tam te tego tej ten
to tu ty tym w wie wiesz wy z za ze
"""
_SWEDISH = """
alla att av beratta blev bli blir da de dem den deras dess det detta dig din ditt du efter eller en er ett finns for
fran ga ha hade han har hennes hon hos hur i icke in inte ja jag kan kunde man med mellan men mig min mitt mot mycket
nagot nar nej ni nu och om oss pa sa sig sin ska skulle som till under upp ut utan vad var vara varfor vem vet vi vid
vilka vilken vilket
"""

STOP_WORDS: Mapping[str, frozenset[str]] = {
    "de": frozenset(_GERMAN.split()),
    "en": frozenset(_ENGLISH.split()),
    "es": frozenset(_SPANISH.split()),
    "fr": frozenset(_FRENCH.split()),
    "it": frozenset(_ITALIAN.split()),
    "nl": frozenset(_DUTCH.split()),
    "pl": frozenset(_POLISH.split()),
    "pt": frozenset(_PORTUGUESE.split()),
    "ru": frozenset(_RUSSIAN.split()),
    "sv": frozenset(_SWEDISH.split()),
}
