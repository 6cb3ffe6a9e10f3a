//! The names of the demo's people: lists by hand, from many places, and how a list is read. Called by
//! `demo::people`.

/// The entries of a list written with commas. Cost: O(length).
pub(super) fn entries(list: &'static str) -> Vec<&'static str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

pub(super) const FIRST: &str = "
    Ada, Amina, Mateo, Yuki, Priya, Oluwaseun, Freya, Tomás, Ingrid, Kwame, Leila, Hiroshi, Chiara, Anders, Zainab,
    Rohan, Mei, Callum, Fatima, Jakub, Sofia, Nnamdi, Aoife, Diego, Saoirse, Arjun, Noor, Lukas, Thandiwe, Emil,
    Camila, Tariq, Astrid, Minh, Beatriz, Ivan, Nadia, Kofi, Elif, Rafael, Siobhan, Kenji, Marta, Farid, Ana, Björn,
    Lakshmi, Pavel, Chipo, Hugo, Yasmin, Oscar, Divya, Mikkel, Esi, Giulia, Samuel, Haruka, Layla, Viktor, Wanjiru,
    Pedro, Katarzyna, Omar, Linnea, Jun, Renata, Bilal, Rhiannon, Sanjay, Zofia, Emeka, Clara, Dmitri, Aaliyah, Henrik,
    Isabel, Thabo, Nina, Ravi, Maeve, Andrei, Hana, Juma, Elena, Kristof, Ayesha, Luca, Sunniva, Bao, Valentina,
    Hamza, Signe, Takumi, Gabriela, Rowan, Imani, Petra, Nikhil, Marisol, Youssef, Agnes, Daniel, Ji-woo, Paula,
    Lerato, Stefan, Keiko, Adaeze, Felix, Ruth, Mahmoud, Greta, Vikram, Carmen, Eilidh, Tunde, Milan, Sakura, Joana,
    Idris, Vera, Anh, Catrin, Babak, Rosa, Jonas, Makena, Irina, Angus, Shreya, Ximena, Karim, Liv, Owen, Naledi,
    Marek, Akiko, Teresa, Sipho, Lotte, Hassan, Bronwen, Rui, Ilse, Chidi, Dana, Julien, Meera, Aleksander, Zara,
    Gustavo, Harriet, Dawit, Solveig, Kiran, Nuria, Bruno, Tamar, Efua, Wojciech, Amara, Iker, Ravindra, Bo, Zoë,
    Mele, Tane, Aroha, Nikos, Despina, Sven, Ottilie, Goran, Jelena, Abebe, Selam, Lin, Xiu, Wei, Aylin, Emre, Tove,
    Margit, István, Réka, Sándor, Anneli, Jussi, Aino, Eero, Maija, Kalle, Élodie, Thibault, Margaux, Baptiste";

pub(super) const LAST: &str = "
    Okafor, García, Nakamura, Lindqvist, Patel, O'Brien, Kowalski, Haddad, Silva, Nguyen, Schneider, Mensah, Rossi,
    Ivanova, Chen, MacLeod, Fernández, Singh, Andersen, Diallo, Novák, Kim, Murphy, Costa, Yılmaz, Banerjee, Dlamini,
    Weber, Moreau, Tanaka, Santos, Hughes, Rahman, Virtanen, Popescu, Achterberg, Morales, Kaya, Byrne, Adeyemi, Horvat,
    Petrov, Sharma, Jensen, Baker, Castillo, Ferrari, Nkosi, Olsen, Gupta, Dubois, Walsh, Takahashi, Mbeki, Vargas,
    Fischer, Hussain, Wiśniewska, Ribeiro, Park, Campbell, Osei, Marino, Bakker, Kamau, Rojas, Iyer, Nilsson, Mwangi,
    Fraser, Romero, Zhang, Reddy, Hansen, Abdi, Svoboda, Carvalho, Evans, Suzuki, Ramos, Bauer, Chowdhury, Laine,
    Khalil, Wright, Mendes, Bianchi, Kaplan, Tran, Ferreira, Doyle, Sato, Boateng, Larsen, Rivera, Menon, Hoffmann,
    Aziz, Nowak, Gallagher, Bui, Lopes, Thapa, Eriksson, Owusu, Delgado, Joshi, Vogel, Farah, Morgan, Watanabe, Cruz,
    Pillai, Berg, Otieno, Herrera, Conti, Mishra, Krüger, Salem, Price, Almeida, Yamamoto, Ortiz, Das, Haugen, Asante,
    Stewart, Kovács, Begum, Richter, Reyes, Ito, Nair, Johansson, Ndlovu, Torres, Greco, Malik, Zieliński, Ryan, Pham,
    Barbosa, Verma, Dahl, Keita, Navarro, Wolf, Hamid, Davies, Fonseca, Kobayashi, Salazar, Bose, Holm, Chukwu, Grant,
    Németh, Sheikh, Braun, Medina, Mori, Rao, Lund, Moyo, Guerrero, Esposito, Qureshi, Dvořák, Kelly, Le, Teixeira,
    Papadopoulos, Tamm, Saar, Korhonen, Mäkinen, Berzina, Kazlauskas, Tufuga, Ngata, Parata, Fekadu, Tesfaye, Wang,
    Huang, Demir, Szabó, Tóth, Lefèvre, Girard, Marchetti, Lombardi, De Vries, Van Dijk, Peeters, Claes";

pub(super) const BIOS: &str = "
    Here for the garden and staying for the cake., Treasurer by accident., Volunteer since the first open day.,
    I fix bicycles on Thursdays., Ask me about bees., Mostly reading along., Teacher by day and lighting crew by night.,
    New in town., Part of the kitchen team., I look after the website., Retired nurse and keen baker.,
    Three children and one allotment., Translator (ask me)., Photographs on request., Usually in the workshop.,
    Choir; library; cat., Happy to help with forms and letters., Board member., Student on placement.,
    Carpenter and bad guitarist., Early riser., Please write rather than ring., In the office on weekday mornings.,
    I keep the keys., Driver for the food bank., Sound desk and cables., Map lover., Grows too many courgettes.";
